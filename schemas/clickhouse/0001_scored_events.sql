-- One row per position (shard, offset). The columns down to `features` are SCORED_COLUMNS in their order; rows arrive
-- as the RowBinary blocks the detector wrote. Retention counts from `stored_at`: a replayed file carries old ingest
-- times and must not expire on arrival.
CREATE TABLE IF NOT EXISTS {db}.scored_events (
  tenant          LowCardinality(String),
  identity        String                  CODEC(ZSTD(1)),
  identity_kind   UInt8,
  event_time      DateTime64(3, 'UTC')    CODEC(Delta(8), ZSTD(1)),
  ingest_time     DateTime64(3, 'UTC')    CODEC(Delta(8), ZSTD(1)),
  shard           UInt16                  CODEC(T64, ZSTD(1)),
  offset          UInt64                  CODEC(Delta(8), ZSTD(1)),
  event_id        String                  CODEC(ZSTD(1)),
  session         String                  CODEC(ZSTD(1)),
  action          LowCardinality(String),
  resource_class  LowCardinality(String),
  resource        String                  CODEC(ZSTD(1)),
  destination     String                  CODEC(ZSTD(1)),
  source_ip       String                  CODEC(ZSTD(1)),
  outcome         UInt8,
  bytes_in        UInt64                  CODEC(T64, ZSTD(1)),
  bytes_out       UInt64                  CODEC(T64, ZSTD(1)),
  score           Float32                 CODEC(ZSTD(1)),
  tail_log10      Float32                 CODEC(ZSTD(1)),
  surprise        Float32                 CODEC(ZSTD(1)),
  reconstruction  Float32                 CODEC(ZSTD(1)),
  maturity        Float32                 CODEC(ZSTD(1)),
  flags           UInt32                  CODEC(T64, ZSTD(1)),
  release         LowCardinality(String),
  catalogue       UInt32                  CODEC(T64, ZSTD(1)),
  top_features    Array(UInt8)            CODEC(ZSTD(1)),
  top_weights     Array(Float32)          CODEC(ZSTD(1)),
  features        Array(Float32)          CODEC(ZSTD(1)),
  stored_at       DateTime('UTC') DEFAULT now() CODEC(Delta(4), ZSTD(1)),
  INDEX ix_score score TYPE minmax GRANULARITY 1,
  INDEX ix_position (shard, offset) TYPE minmax GRANULARITY 1,
  INDEX ix_event_id event_id TYPE bloom_filter(0.01) GRANULARITY 4
) ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(ingest_time)
ORDER BY (tenant, identity, event_time, shard, offset)
TTL stored_at + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1;

-- What is known of each identity, readable. Every aggregate gives the same result when a row is stored twice.
CREATE TABLE IF NOT EXISTS {db}.identities (
  tenant        LowCardinality(String),
  identity      String,
  identity_kind SimpleAggregateFunction(anyLast, UInt8),
  first_seen    SimpleAggregateFunction(min, DateTime64(3, 'UTC')),
  last_seen     SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
  max_score     SimpleAggregateFunction(max, Float32),
  maturity      AggregateFunction(argMax, Float32, DateTime64(3, 'UTC')),
  events        AggregateFunction(uniqCombined64(15), UInt16, UInt64)
) ENGINE = AggregatingMergeTree
ORDER BY (tenant, identity)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS {db}.identities_from_events TO {db}.identities AS
SELECT tenant, identity, anyLast(identity_kind) AS identity_kind, min(event_time) AS first_seen, max(event_time) AS last_seen,
       max(score) AS max_score, argMaxState(maturity, event_time) AS maturity, uniqCombined64State(15)(shard, offset) AS events
FROM {db}.scored_events
GROUP BY tenant, identity;
