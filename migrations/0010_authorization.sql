-- Groups, custom roles, denies, ceilings, conditions, classification and separation of duties.
DO $$ BEGIN END $$;
