-- On Kafka the outbox has lanes, each with positions of its own. Rows from before are of lane 0. A default is not allowed in an
-- order that a column is added to; the type's is 0.
ALTER TABLE {db}.recorder_positions ADD COLUMN IF NOT EXISTS lane UInt16 AFTER topic, MODIFY ORDER BY (log, topic, lane);
