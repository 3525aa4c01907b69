-- The view fills `identities` with the rights of whoever migrates, so that a user who may only insert need not read what it inserted.
ALTER TABLE {db}.identities_from_events MODIFY SQL SECURITY DEFINER;
