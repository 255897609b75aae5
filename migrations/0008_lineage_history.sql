-- Lineage for auditors: received events, columns, the serving closure.
DO $$ BEGIN END $$;
