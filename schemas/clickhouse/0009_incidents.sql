-- What goes over several identities: one row per (id, revision); consumers keep the highest revision. The whole incident is in `incident` as JSON.
CREATE TABLE IF NOT EXISTS {db}.incidents (
  tenant          LowCardinality(String),
  id              String,
  revision        UInt32,
  kind            LowCardinality(String),
  severity        LowCardinality(String),
  severity_rank   UInt8,
  cause_kind      LowCardinality(String),
  cause           String,
  identities      Array(String),
  identity_count  UInt32,
  alerts          Array(String),
  events          UInt64,
  first_seen      DateTime64(3, 'UTC'),
  last_seen       DateTime64(3, 'UTC'),
  headline        String,
  incident        String CODEC(ZSTD(3)),
  stored_at       DateTime('UTC') DEFAULT now()
) ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(first_seen)
ORDER BY (tenant, id, revision)
TTL stored_at + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1;
