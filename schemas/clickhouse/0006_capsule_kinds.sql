-- Retention may differ by kind of subject, and a capsule holds the event that alerted. Empty in rows from before.
ALTER TABLE {db}.capsules ADD COLUMN IF NOT EXISTS identity_kind LowCardinality(String) AFTER revision;
