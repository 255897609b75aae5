-- Replicas and their leases, rate limits, and secrets under envelope encryption.
DO $$ BEGIN END $$;
