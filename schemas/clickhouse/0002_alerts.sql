-- One row per (id, revision); consumers keep the highest revision. The whole alert is in `alert` as JSON.
CREATE TABLE IF NOT EXISTS {db}.alerts (
  tenant         LowCardinality(String),
  id             String,
  revision       UInt32,
  activity       LowCardinality(String),
  identity       String,
  identity_kind  LowCardinality(String),
  family         LowCardinality(String),
  severity       LowCardinality(String),
  severity_rank  UInt8,
  score          Float32,
  risk           Float32,
  critical       UInt8,
  historic       UInt8,
  delivery       LowCardinality(String),
  first_seen     DateTime64(3, 'UTC'),
  last_seen      DateTime64(3, 'UTC'),
  count          UInt64,
  suppressed     UInt64,
  group_key      String,
  headline       String,
  session        String,
  release        LowCardinality(String),
  shard          UInt16,
  offset         UInt64,
  alert          String CODEC(ZSTD(3)),
  stored_at      DateTime('UTC') DEFAULT now()
) ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(first_seen)
ORDER BY (tenant, id, revision)
TTL stored_at + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1;

-- What explains and replays an alert on its own (contracts C7).
CREATE TABLE IF NOT EXISTS {db}.capsules (
  alert_id   String,
  revision   UInt32,
  capsule    String CODEC(ZSTD(3)),
  stored_at  DateTime('UTC') DEFAULT now()
) ENGINE = ReplacingMergeTree
ORDER BY (alert_id, revision)
TTL stored_at + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 10000;

CREATE VIEW IF NOT EXISTS {db}.alerts_latest AS
SELECT * FROM {db}.alerts ORDER BY revision DESC LIMIT 1 BY tenant, id;
