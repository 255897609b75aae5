-- Traces of applications with their spans and assessments; evaluation datasets; scorers: as MLflow's clients send them.

CREATE TABLE trace (
    tenant_id         uuid    NOT NULL,
    key               uuid    NOT NULL DEFAULT gen_random_uuid(),
    project_id        uuid    NOT NULL,
    experiment_id     bigint  NOT NULL,
    id                text COLLATE "C" NOT NULL CONSTRAINT trace_id CHECK (id ~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$'),
    state             text    NOT NULL CONSTRAINT trace_state CHECK (state IN ('STATE_UNSPECIFIED', 'OK', 'ERROR', 'IN_PROGRESS')),
    start_ms          bigint  NOT NULL CONSTRAINT trace_start CHECK (start_ms >= 0),
    duration_ms       bigint,
    client_request_id text,
    request_preview   text,
    response_preview  text,
    metadata          jsonb   NOT NULL DEFAULT '{}' CONSTRAINT trace_metadata CHECK (jsonb_typeof(metadata) = 'object'),
    tags              jsonb   NOT NULL DEFAULT '{}' CONSTRAINT trace_tags CHECK (jsonb_typeof(tags) = 'object'),
    name              text    GENERATED ALWAYS AS (tags ->> 'mlflow.traceName') STORED,
    session           text    GENERATED ALWAYS AS (left(metadata ->> 'mlflow.trace.session', 250)) STORED,
    told              boolean NOT NULL DEFAULT false,
    spanned           boolean NOT NULL DEFAULT false,
    created_ms        bigint  NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
    created_by        uuid    NOT NULL,
    CONSTRAINT trace_key PRIMARY KEY (tenant_id, key),
    CONSTRAINT trace_of_project UNIQUE (tenant_id, project_id, id),
    CONSTRAINT trace_experiment FOREIGN KEY (tenant_id, project_id, experiment_id) REFERENCES experiment,
    CONSTRAINT trace_creator FOREIGN KEY (tenant_id, created_by) REFERENCES principal
);
COMMENT ON TABLE trace IS 'One request to an application, as the application told of it. Ids are the client''s and mean something in one project only.';
COMMENT ON COLUMN trace.told IS 'The client has described the trace itself; what spans say of it no longer counts.';
COMMENT ON COLUMN trace.spanned IS 'Spans are in trace_span; otherwise they can only be in the artifact traces.json.';
COMMENT ON COLUMN trace.start_ms IS 'Milliseconds since 1970, by the clock of the application; created_ms is by ours.';
CREATE INDEX trace_by_start ON trace (tenant_id, project_id, experiment_id, start_ms DESC, id);
CREATE INDEX trace_by_session ON trace (tenant_id, project_id, experiment_id, session, start_ms DESC, id) WHERE session IS NOT NULL;
CALL tenant_table('trace', 'SELECT, INSERT, UPDATE, DELETE', true);

-- A tag of a trace as a number, in which its experiment has a part: so the index keeps tenants and experiments apart.
CREATE FUNCTION trace_mark(tenant uuid, project uuid, experiment bigint, tag text, value text) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = chancery, pg_temp
    AS $$ SELECT hashtextextended(tag || chr(31) || value, hashtextextended(format('%s/%s/%s', tenant, project, experiment), 0)) $$;
CREATE FUNCTION trace_marks(tenant uuid, project uuid, experiment bigint, tags jsonb) RETURNS bigint[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = chancery, pg_temp
    AS $$ SELECT coalesce(array_agg(trace_mark(tenant, project, experiment, t.key, coalesce(t.value, ''))), '{}') FROM jsonb_each_text(tags) t $$;
COMMENT ON FUNCTION trace_marks IS 'Equal tags have equal marks; others seldom do, so whoever searches by marks compares the tags too.';
CREATE INDEX trace_by_mark ON trace USING gin (trace_marks(tenant_id, project_id, experiment_id, tags));

-- Bitmaps only: the estimate for && would have it go along the time of all traces.
CREATE FUNCTION trace_tagged(in_project uuid, experiments bigint[], tag text, value text, most bigint) RETURNS TABLE (key uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = chancery, pg_temp SET enable_indexscan = off SET enable_seqscan = off AS $$
    SELECT t.key FROM trace t
     WHERE t.tenant_id = current_tenant() AND t.project_id = in_project AND t.experiment_id = ANY (experiments)
       AND trace_marks(t.tenant_id, t.project_id, t.experiment_id, t.tags)
        && (SELECT array_agg(trace_mark(current_tenant(), in_project, e, tag, value)) FROM unnest(experiments) e)
     LIMIT most $$;
COMMENT ON FUNCTION trace_tagged IS 'definer: names the tenant and finds its traces that may have a tag; row level security would keep && out of the index.';

CREATE TABLE trace_span (
    tenant_id  uuid   NOT NULL,
    trace_key  uuid   NOT NULL,
    id         text COLLATE "C" NOT NULL CONSTRAINT trace_span_id CHECK (id ~ '^[0-9a-f]{16}$'),
    parent_id  text CONSTRAINT trace_span_parent CHECK (parent_id ~ '^[0-9a-f]{16}$'),
    name       text   NOT NULL,
    type       text   NOT NULL,
    status     text   NOT NULL CONSTRAINT trace_span_status CHECK (status IN ('UNSET', 'OK', 'ERROR')),
    message    text,
    kind       int    NOT NULL,
    start_ns   bigint NOT NULL,
    end_ns     bigint NOT NULL,
    attributes json   NOT NULL,
    events     json   NOT NULL,
    links      json   NOT NULL,
    CONSTRAINT trace_span_key PRIMARY KEY (tenant_id, trace_key, id),
    CONSTRAINT trace_span_trace FOREIGN KEY (tenant_id, trace_key) REFERENCES trace ON DELETE CASCADE
);
COMMENT ON TABLE trace_span IS 'One step of a trace. json, not jsonb, so that numbers come back as they were written.';
CALL tenant_table('trace_span', 'SELECT, INSERT, UPDATE, DELETE');

CREATE TABLE trace_run (
    tenant_id uuid NOT NULL,
    trace_key uuid NOT NULL,
    run       text COLLATE "C" NOT NULL CONSTRAINT trace_run_id CHECK (length(run) BETWEEN 1 AND 256),
    CONSTRAINT trace_run_key PRIMARY KEY (tenant_id, trace_key, run),
    CONSTRAINT trace_run_trace FOREIGN KEY (tenant_id, trace_key) REFERENCES trace ON DELETE CASCADE
);
COMMENT ON TABLE trace_run IS 'Traces that a run made or was linked to. The run as the client wrote it: applications name runs of other servers, too.';
CREATE INDEX trace_run_by_run ON trace_run (tenant_id, run, trace_key);
CALL tenant_table('trace_run', 'SELECT, INSERT, DELETE');

CREATE TABLE trace_assessment (
    tenant_id   uuid    NOT NULL,
    trace_key   uuid    NOT NULL,
    id          text COLLATE "C" NOT NULL,
    kind        text    NOT NULL CONSTRAINT trace_assessment_kind CHECK (kind IN ('feedback', 'expectation', 'issue')),
    name        text    NOT NULL CONSTRAINT trace_assessment_name CHECK (length(name) BETWEEN 1 AND 250),
    source_type text    NOT NULL,
    source_id   text    NOT NULL,
    content     json    NOT NULL,
    value       text,
    number      float8,
    rationale   text,
    metadata    jsonb   NOT NULL DEFAULT '{}' CONSTRAINT trace_assessment_metadata CHECK (jsonb_typeof(metadata) = 'object'),
    span_id     text,
    overrides   text,
    valid       boolean NOT NULL DEFAULT true,
    created_ms  bigint  NOT NULL,
    updated_ms  bigint  NOT NULL,
    created_by  uuid    NOT NULL,
    CONSTRAINT trace_assessment_key PRIMARY KEY (tenant_id, trace_key, id),
    CONSTRAINT trace_assessment_trace FOREIGN KEY (tenant_id, trace_key) REFERENCES trace ON DELETE CASCADE,
    CONSTRAINT trace_assessment_creator FOREIGN KEY (tenant_id, created_by) REFERENCES principal
);
COMMENT ON TABLE trace_assessment IS 'What somebody thinks of a trace (feedback), or what should have come out (expectation).';
COMMENT ON COLUMN trace_assessment.content IS 'The member of that kind as it was sent; value and number are what searches compare.';
COMMENT ON COLUMN trace_assessment.created_by IS 'Who sent it. source_type and source_id are what they say of where it came from.';
CALL tenant_table('trace_assessment', 'SELECT, INSERT, UPDATE, DELETE');

CREATE TABLE evaluation_dataset (
    tenant_id  uuid   NOT NULL,
    id         uuid   NOT NULL,
    project_id uuid   NOT NULL,
    name       text   NOT NULL CONSTRAINT evaluation_dataset_name CHECK (length(name) BETWEEN 1 AND 255),
    tags       jsonb  NOT NULL DEFAULT '{}' CONSTRAINT evaluation_dataset_tags CHECK (jsonb_typeof(tags) = 'object'),
    created_ms bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
    updated_ms bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
    created_by uuid   NOT NULL,
    updated_by uuid   NOT NULL,
    CONSTRAINT evaluation_dataset_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT evaluation_dataset_project FOREIGN KEY (tenant_id, project_id) REFERENCES project,
    CONSTRAINT evaluation_dataset_creator FOREIGN KEY (tenant_id, created_by) REFERENCES principal,
    CONSTRAINT evaluation_dataset_changer FOREIGN KEY (tenant_id, updated_by) REFERENCES principal
);
COMMENT ON TABLE evaluation_dataset IS 'Examples by which applications are judged. Unlike datasets of the registry they are edited in place.';
CREATE INDEX evaluation_dataset_by_time ON evaluation_dataset (tenant_id, project_id, created_ms DESC, id);
CALL tenant_table('evaluation_dataset', 'SELECT, INSERT, UPDATE, DELETE');

CREATE TABLE evaluation_record (
    tenant_id    uuid   NOT NULL,
    dataset_id   uuid   NOT NULL,
    id           uuid   NOT NULL,
    inputs       json   NOT NULL,
    inputs_hash  bytea  NOT NULL,
    outputs      json,
    expectations json,
    tags         json,
    source       json,
    created_ms   bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
    updated_ms   bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
    created_by   uuid   NOT NULL,
    updated_by   uuid   NOT NULL,
    CONSTRAINT evaluation_record_key PRIMARY KEY (tenant_id, dataset_id, id),
    CONSTRAINT evaluation_record_inputs UNIQUE (tenant_id, dataset_id, inputs_hash),
    CONSTRAINT evaluation_record_dataset FOREIGN KEY (tenant_id, dataset_id) REFERENCES evaluation_dataset ON DELETE CASCADE,
    CONSTRAINT evaluation_record_creator FOREIGN KEY (tenant_id, created_by) REFERENCES principal,
    CONSTRAINT evaluation_record_changer FOREIGN KEY (tenant_id, updated_by) REFERENCES principal
);
COMMENT ON TABLE evaluation_record IS 'One example: inputs, and what is expected of them. inputs_hash is SHA-256 of the canonical inputs: the same inputs are the same record.';
CALL tenant_table('evaluation_record', 'SELECT, INSERT, UPDATE, DELETE');

CREATE TABLE evaluation_experiment (
    tenant_id     uuid   NOT NULL,
    dataset_id    uuid   NOT NULL,
    project_id    uuid   NOT NULL,
    experiment_id bigint NOT NULL,
    CONSTRAINT evaluation_experiment_key PRIMARY KEY (tenant_id, dataset_id, project_id, experiment_id),
    CONSTRAINT evaluation_experiment_dataset FOREIGN KEY (tenant_id, dataset_id) REFERENCES evaluation_dataset ON DELETE CASCADE,
    CONSTRAINT evaluation_experiment_experiment FOREIGN KEY (tenant_id, project_id, experiment_id) REFERENCES experiment
);
COMMENT ON TABLE evaluation_experiment IS 'Which experiments an evaluation dataset belongs to.';
CALL tenant_table('evaluation_experiment', 'SELECT, INSERT, DELETE');

CREATE TABLE scorer (
    tenant_id     uuid   NOT NULL,
    id            uuid   NOT NULL,
    project_id    uuid   NOT NULL,
    experiment_id bigint NOT NULL,
    name          text   NOT NULL CONSTRAINT scorer_name CHECK (length(name) BETWEEN 1 AND 255),
    versions      int    NOT NULL DEFAULT 0,
    CONSTRAINT scorer_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT scorer_by_name UNIQUE (tenant_id, project_id, experiment_id, name),
    CONSTRAINT scorer_experiment FOREIGN KEY (tenant_id, project_id, experiment_id) REFERENCES experiment
);
COMMENT ON TABLE scorer IS 'A named way to judge traces of an experiment. versions counts all there ever were, so that no number comes back.';
CALL tenant_table('scorer', 'SELECT, INSERT, UPDATE, DELETE');

CREATE TABLE scorer_version (
    tenant_id  uuid   NOT NULL,
    scorer_id  uuid   NOT NULL,
    version    int    NOT NULL,
    serialized text   NOT NULL,
    created_ms bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
    created_by uuid   NOT NULL,
    CONSTRAINT scorer_version_key PRIMARY KEY (tenant_id, scorer_id, version),
    CONSTRAINT scorer_version_scorer FOREIGN KEY (tenant_id, scorer_id) REFERENCES scorer ON DELETE CASCADE,
    CONSTRAINT scorer_version_creator FOREIGN KEY (tenant_id, created_by) REFERENCES principal
);
COMMENT ON TABLE scorer_version IS 'One version of a scorer, as text that the service never runs.';
CALL tenant_table('scorer_version', 'SELECT, INSERT, DELETE');
