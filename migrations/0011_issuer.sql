-- The issuer: clients, authorization codes, refresh families, device codes, browser sessions, second factors.
DO $$ BEGIN END $$;
