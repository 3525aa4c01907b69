-- Inputs that were not scored, with the reason. `sequence` is the place in the outbox: refused requests have no position.
CREATE TABLE IF NOT EXISTS {db}.dead_letters (
  sequence     UInt64,
  tenant       LowCardinality(String),
  stage        LowCardinality(String),
  code         LowCardinality(String),
  field        String,
  message      String,
  topic        LowCardinality(String),
  shard        UInt16,
  offset       UInt64,
  ingest_time  DateTime64(3, 'UTC'),
  payload      String CODEC(ZSTD(3)),
  stored_at    DateTime('UTC') DEFAULT now()
) ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(ingest_time)
ORDER BY (stage, sequence, shard, offset)
TTL stored_at + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1;

-- What people said of alerts; the newest per alert counts.
CREATE TABLE IF NOT EXISTS {db}.feedback (
  sequence   UInt64,
  time       DateTime64(3, 'UTC'),
  tenant     LowCardinality(String),
  alert_id   String,
  identity   String,
  verdict    LowCardinality(String),
  author     String,
  note       String,
  body       String CODEC(ZSTD(3)),
  stored_at  DateTime('UTC') DEFAULT now()
) ENGINE = ReplacingMergeTree
ORDER BY (tenant, alert_id, sequence)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS {db}.releases (
  sequence    UInt64,
  time        DateTime64(3, 'UTC'),
  tenant      LowCardinality(String),
  release_id  String,
  sha256      String,
  body        String CODEC(ZSTD(3)),
  stored_at   DateTime('UTC') DEFAULT now()
) ENGINE = ReplacingMergeTree
ORDER BY (tenant, release_id, sequence)
SETTINGS non_replicated_deduplication_window = 10000;

-- Who did what to the service itself. Never updated, never expires.
CREATE TABLE IF NOT EXISTS {db}.audit (
  sequence   UInt64,
  time       DateTime64(3, 'UTC'),
  tenant     LowCardinality(String),
  actor      String,
  action     LowCardinality(String),
  target     String,
  body       String CODEC(ZSTD(3)),
  stored_at  DateTime('UTC') DEFAULT now()
) ENGINE = ReplacingMergeTree
ORDER BY (sequence)
SETTINGS non_replicated_deduplication_window = 10000;

-- How far the recorder is: the last outbox sequence of a log's topic whose rows are stored. Never expires (contracts C12).
CREATE TABLE IF NOT EXISTS {db}.recorder_positions (
  log       String,
  topic     LowCardinality(String),
  sequence  UInt64,
  rows      UInt64
) ENGINE = ReplacingMergeTree(sequence)
ORDER BY (log, topic)
SETTINGS non_replicated_deduplication_window = 10000;
