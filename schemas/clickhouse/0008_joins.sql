-- What joins rows of several identities (contracts C13). Empty in rows from before.
ALTER TABLE {db}.scored_events ADD COLUMN IF NOT EXISTS root String CODEC(ZSTD(1)) AFTER features;
ALTER TABLE {db}.scored_events ADD COLUMN IF NOT EXISTS on_behalf_of String CODEC(ZSTD(1)) AFTER root;
ALTER TABLE {db}.scored_events ADD COLUMN IF NOT EXISTS version_release LowCardinality(String) AFTER on_behalf_of;
ALTER TABLE {db}.scored_events ADD COLUMN IF NOT EXISTS version_model LowCardinality(String) AFTER version_release;
