-- Experiments, runs, parameters, metrics, logged models and traces, as MLflow's clients send them.
DO $$ BEGIN END $$;
