-- Experiments, runs, parameters, metrics, logged models and artifacts, as MLflow's clients send them.

CREATE TABLE experiment (
    tenant_id  uuid   NOT NULL,
    project_id uuid   NOT NULL,
    id         bigint NOT NULL CONSTRAINT experiment_id CHECK (id >= 0),
    name       text   NOT NULL CONSTRAINT experiment_name CHECK (length(name) BETWEEN 1 AND 500),
    stage      text   NOT NULL DEFAULT 'active' CONSTRAINT experiment_stage CHECK (stage IN ('active', 'deleted')),
    tags       jsonb  NOT NULL DEFAULT '{}' CONSTRAINT experiment_tags CHECK (jsonb_typeof(tags) = 'object'),
    created_ms bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
    updated_ms bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
    CONSTRAINT experiment_key PRIMARY KEY (tenant_id, project_id, id),
    CONSTRAINT experiment_by_name UNIQUE (tenant_id, project_id, name),
    CONSTRAINT experiment_project FOREIGN KEY (tenant_id, project_id) REFERENCES project
);
COMMENT ON TABLE experiment IS 'A named group of runs. Each project has number 0, Default, from its beginning.';
CALL tenant_table('experiment', 'SELECT, INSERT, UPDATE');

CREATE FUNCTION experiment_begin() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO experiment (tenant_id, project_id, id, name) VALUES (NEW.tenant_id, NEW.id, 0, 'Default');
    RETURN NULL;
END $$;
CREATE TRIGGER experiment_begin AFTER INSERT ON project FOR EACH ROW EXECUTE FUNCTION experiment_begin();
DO $$
DECLARE
    t uuid;
BEGIN
    FOR t IN SELECT tenant_id FROM tenant LOOP
        PERFORM set_config('app.tenant', t::text, true);
        INSERT INTO experiment (tenant_id, project_id, id, name) SELECT tenant_id, id, 0, 'Default' FROM project
            WHERE tenant_id = t;
    END LOOP;
    PERFORM set_config('app.tenant', '', true);
END $$;

CREATE TABLE run (
    tenant_id     uuid   NOT NULL,
    id            uuid   NOT NULL,
    project_id    uuid   NOT NULL,
    experiment_id bigint NOT NULL,
    name          text   NOT NULL DEFAULT '',
    user_name     text   NOT NULL DEFAULT '',
    status        text   NOT NULL DEFAULT 'RUNNING'
                  CONSTRAINT run_status CHECK (status IN ('RUNNING', 'SCHEDULED', 'FINISHED', 'FAILED', 'KILLED')),
    start_ms      bigint NOT NULL,
    end_ms        bigint,
    stage         text   NOT NULL DEFAULT 'active' CONSTRAINT run_stage CHECK (stage IN ('active', 'deleted')),
    deleted_ms    bigint,
    created_by    uuid   NOT NULL,
    CONSTRAINT run_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT run_experiment FOREIGN KEY (tenant_id, project_id, experiment_id) REFERENCES experiment,
    CONSTRAINT run_creator FOREIGN KEY (tenant_id, created_by) REFERENCES principal
);
COMMENT ON TABLE run IS 'One execution of somebody''s code. Never removed: versions and lineage name it.';
CREATE INDEX run_by_start ON run (tenant_id, project_id, experiment_id, start_ms DESC, id);
CALL tenant_table('run', 'SELECT, INSERT, UPDATE');

CREATE TABLE run_param (
    tenant_id uuid NOT NULL,
    run_id    uuid NOT NULL,
    key       text COLLATE "C" NOT NULL,
    value     text NOT NULL,
    CONSTRAINT run_param_key PRIMARY KEY (tenant_id, run_id, key),
    CONSTRAINT run_param_run FOREIGN KEY (tenant_id, run_id) REFERENCES run
);
COMMENT ON TABLE run_param IS 'Append-only: what a run was told. A parameter keeps its first value.';
CALL tenant_table('run_param', 'SELECT, INSERT, UPDATE');

CREATE TABLE run_tag (
    tenant_id uuid NOT NULL,
    run_id    uuid NOT NULL,
    key       text COLLATE "C" NOT NULL,
    value     text NOT NULL,
    CONSTRAINT run_tag_key PRIMARY KEY (tenant_id, run_id, key),
    CONSTRAINT run_tag_run FOREIGN KEY (tenant_id, run_id) REFERENCES run
);
COMMENT ON TABLE run_tag IS 'What is said of a run; mlflow.runName is its name.';
CALL tenant_table('run_tag', 'SELECT, INSERT, UPDATE, DELETE');

CREATE TABLE metric (
    tenant_id uuid   NOT NULL,
    run_id    uuid   NOT NULL,
    key       text COLLATE "C" NOT NULL,
    at        bigint NOT NULL,
    step      bigint NOT NULL,
    value     float8 NOT NULL,
    CONSTRAINT metric_key PRIMARY KEY (tenant_id, run_id, key, at, step, value)
);
COMMENT ON TABLE metric IS 'Every value that was ever measured. The key makes saying it twice the same as saying it once. No foreign key: the statement that inserts has found the run.';
COMMENT ON COLUMN metric.at IS 'Milliseconds since 1970, by the clock of whoever measured.';
CALL tenant_table('metric', 'SELECT, INSERT');
CALL append_only('metric');

CREATE TABLE metric_latest (
    tenant_id uuid   NOT NULL,
    run_id    uuid   NOT NULL,
    key       text COLLATE "C" NOT NULL,
    at        bigint NOT NULL,
    step      bigint NOT NULL,
    value     float8 NOT NULL,
    CONSTRAINT metric_latest_key PRIMARY KEY (tenant_id, run_id, key)
) WITH (fillfactor = 80);
COMMENT ON TABLE metric_latest IS 'Of each metric of a run the value of the highest step, time and value: what searches look at.';
-- Searches for a metric above or below a value, and orders by one, go along it.
CREATE INDEX metric_latest_by_value ON metric_latest (tenant_id, key, value, run_id);
CALL tenant_table('metric_latest', 'SELECT, INSERT, UPDATE');

CREATE TABLE run_input (
    tenant_id uuid  NOT NULL,
    run_id    uuid  NOT NULL,
    name      text  NOT NULL,
    digest    text  NOT NULL,
    dataset   json  NOT NULL,
    tags      json  NOT NULL,
    CONSTRAINT run_input_key PRIMARY KEY (tenant_id, run_id, name, digest),
    CONSTRAINT run_input_run FOREIGN KEY (tenant_id, run_id) REFERENCES run
);
COMMENT ON TABLE run_input IS 'Append-only: datasets a run said it read. dataset: name, digest, source_type, source, schema, profile.';
CALL tenant_table('run_input', 'SELECT, INSERT');
CALL append_only('run_input');

CREATE TABLE logged_model (
    tenant_id     uuid   NOT NULL,
    id            uuid   NOT NULL,
    project_id    uuid   NOT NULL,
    experiment_id bigint NOT NULL,
    name          text   NOT NULL CONSTRAINT logged_model_name CHECK (length(name) BETWEEN 1 AND 500),
    model_type    text,
    run_id        uuid,
    status        text   NOT NULL DEFAULT 'LOGGED_MODEL_PENDING' CONSTRAINT logged_model_status
                  CHECK (status IN ('LOGGED_MODEL_PENDING', 'LOGGED_MODEL_READY', 'LOGGED_MODEL_UPLOAD_FAILED')),
    params        jsonb  NOT NULL DEFAULT '{}' CONSTRAINT logged_model_params CHECK (jsonb_typeof(params) = 'object'),
    tags          jsonb  NOT NULL DEFAULT '{}' CONSTRAINT logged_model_tags CHECK (jsonb_typeof(tags) = 'object'),
    created_ms    bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
    updated_ms    bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
    deleted_ms    bigint,
    created_by    uuid   NOT NULL,
    CONSTRAINT logged_model_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT logged_model_experiment FOREIGN KEY (tenant_id, project_id, experiment_id) REFERENCES experiment,
    CONSTRAINT logged_model_run FOREIGN KEY (tenant_id, run_id) REFERENCES run,
    CONSTRAINT logged_model_creator FOREIGN KEY (tenant_id, created_by) REFERENCES principal
);
COMMENT ON TABLE logged_model IS 'A model as a run left it, before anybody registers it.';
CREATE INDEX logged_model_by_time ON logged_model (tenant_id, project_id, experiment_id, created_ms DESC, id);
CALL tenant_table('logged_model', 'SELECT, INSERT, UPDATE');

CREATE TABLE logged_model_metric (
    tenant_id      uuid   NOT NULL,
    model_id       uuid   NOT NULL,
    run_id         uuid   NOT NULL,
    key            text COLLATE "C" NOT NULL,
    at             bigint NOT NULL,
    step           bigint NOT NULL,
    value          float8 NOT NULL,
    dataset_name   text   NOT NULL DEFAULT '',
    dataset_digest text   NOT NULL DEFAULT '',
    CONSTRAINT logged_model_metric_key PRIMARY KEY (tenant_id, model_id, run_id, key, at, step, value, dataset_name, dataset_digest),
    CONSTRAINT logged_model_metric_model FOREIGN KEY (tenant_id, model_id) REFERENCES logged_model
);
COMMENT ON TABLE logged_model_metric IS 'Append-only: what runs measured of a logged model.';
CALL tenant_table('logged_model_metric', 'SELECT, INSERT');
CALL append_only('logged_model_metric');

CREATE TABLE run_model (
    tenant_id uuid    NOT NULL,
    run_id    uuid    NOT NULL,
    model_id  uuid    NOT NULL,
    output    boolean NOT NULL,
    step      bigint  NOT NULL DEFAULT 0,
    CONSTRAINT run_model_key PRIMARY KEY (tenant_id, run_id, model_id, output, step),
    CONSTRAINT run_model_run FOREIGN KEY (tenant_id, run_id) REFERENCES run,
    CONSTRAINT run_model_model FOREIGN KEY (tenant_id, model_id) REFERENCES logged_model
);
COMMENT ON TABLE run_model IS 'Append-only: logged models that a run read or made.';
CALL tenant_table('run_model', 'SELECT, INSERT');
CALL append_only('run_model');

CREATE TABLE artifact (
    tenant_id  uuid   NOT NULL,
    owner      text   NOT NULL CONSTRAINT artifact_owner CHECK (owner IN ('run', 'model', 'trace')),
    owner_id   text   NOT NULL,
    path       text COLLATE "C" NOT NULL CONSTRAINT artifact_path CHECK (octet_length(path) BETWEEN 1 AND 512),
    sha256     bytea  NOT NULL,
    size       bigint NOT NULL,
    created_by uuid   NOT NULL,
    CONSTRAINT artifact_key PRIMARY KEY (tenant_id, owner, owner_id, path),
    CONSTRAINT artifact_blob FOREIGN KEY (tenant_id, sha256) REFERENCES blob,
    CONSTRAINT artifact_creator FOREIGN KEY (tenant_id, created_by) REFERENCES principal
);
COMMENT ON TABLE artifact IS 'Files of runs, logged models and traces: names for bytes of the store. Its reference keeps a blob from being collected.';
CREATE INDEX artifact_by_blob ON artifact (tenant_id, sha256);
CALL tenant_table('artifact', 'SELECT, INSERT, UPDATE, DELETE');

ALTER TABLE lineage_node DROP CONSTRAINT lineage_node_kind;
ALTER TABLE lineage_node ADD CONSTRAINT lineage_node_kind CHECK (kind IN
    ('dataset-version', 'model-version', 'job', 'approval', 'deployment', 'prediction', 'run', 'dataset', 'logged-model',
     'notebook', 'prompt', 'flow', 'environment', 'component', 'connection', 'code', 'external', 'trace', 'column',
     'ol-job', 'ol-run', 'ol-dataset', 'ol-column')
    OR kind ~ '^imported-[a-z-]+$'); -- what came in a bundle
