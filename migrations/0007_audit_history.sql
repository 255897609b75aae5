-- The audit log for auditors: keys, witnesses, sinks, erasure and retention.
DO $$ BEGIN END $$;
