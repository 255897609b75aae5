-- External identity providers, workload federation and SCIM provisioning.
DO $$ BEGIN END $$;
