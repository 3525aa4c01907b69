-- An acknowledged block is on disk: the outbox lets go of what the recorder has stored, so a power cut must not lose it.
ALTER TABLE {db}.scored_events MODIFY SETTING fsync_after_insert = 1, fsync_part_directory = 1;
ALTER TABLE {db}.identities MODIFY SETTING fsync_after_insert = 1, fsync_part_directory = 1;
ALTER TABLE {db}.alerts MODIFY SETTING fsync_after_insert = 1, fsync_part_directory = 1;
ALTER TABLE {db}.capsules MODIFY SETTING fsync_after_insert = 1, fsync_part_directory = 1;
ALTER TABLE {db}.dead_letters MODIFY SETTING fsync_after_insert = 1, fsync_part_directory = 1;
ALTER TABLE {db}.feedback MODIFY SETTING fsync_after_insert = 1, fsync_part_directory = 1;
ALTER TABLE {db}.releases MODIFY SETTING fsync_after_insert = 1, fsync_part_directory = 1;
ALTER TABLE {db}.audit MODIFY SETTING fsync_after_insert = 1, fsync_part_directory = 1;
ALTER TABLE {db}.recorder_positions MODIFY SETTING fsync_after_insert = 1, fsync_part_directory = 1;
