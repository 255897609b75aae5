-- Registered models, prompts and webhooks as MLflow's clients see them; further asset kinds.
DO $$ BEGIN END $$;
