-- Lineage for auditors: received events, columns, the serving closure.

ALTER TABLE lineage_node DROP CONSTRAINT lineage_node_kind;
ALTER TABLE lineage_node ADD CONSTRAINT lineage_node_kind CHECK (kind IN
    ('dataset-version', 'model-version', 'job', 'approval', 'deployment', 'prediction',
     'run', 'notebook', 'prompt', 'flow', 'environment', 'code', 'ol-job', 'ol-run', 'ol-dataset', 'ol-column'));
-- Names that other systems give are longer than ours; an index row must still hold them.
ALTER TABLE lineage_node DROP CONSTRAINT lineage_node_name;
ALTER TABLE lineage_node ADD CONSTRAINT lineage_node_name CHECK (octet_length(name) BETWEEN 1 AND 2048);
COMMENT ON COLUMN lineage_node.project IS 'Whose it is; empty for what belongs to the tenant at large.';

ALTER TABLE lineage_edge DROP CONSTRAINT lineage_edge_kind;
ALTER TABLE lineage_edge ADD CONSTRAINT lineage_edge_kind CHECK (kind IN
    ('consume', 'produce', 'approve', 'deploy', 'predict', 'run', 'parent', 'derive', 'use', 'import'));
-- Both directions are read from the index alone, by both times.
ALTER TABLE lineage_edge DROP CONSTRAINT lineage_edge_key;
ALTER TABLE lineage_edge ADD CONSTRAINT lineage_edge_key PRIMARY KEY (tenant_id, src, dst, kind) INCLUDE (at, recorded_at);
DROP INDEX lineage_edge_back;
CREATE INDEX lineage_edge_back ON lineage_edge (tenant_id, dst) INCLUDE (src, kind, at, recorded_at);

-- What everything that was ever deployed came from, kept so that "which endpoints served something made from this" is
-- a look-up. A deployment is in its own closure; whatever comes to be known upstream later joins it.
CREATE TABLE endpoint_ancestor (
    tenant_id  uuid        NOT NULL,
    ancestor   bigint      NOT NULL,
    deployment bigint      NOT NULL,
    kind       text        NOT NULL,
    known_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT endpoint_ancestor_key PRIMARY KEY (tenant_id, ancestor, deployment) INCLUDE (known_at)
);
COMMENT ON TABLE endpoint_ancestor IS 'Append-only: nodes upstream of each deployment''s node, and since when we know. Both are ids of lineage_node; kind is the ancestor''s.';
CREATE INDEX endpoint_ancestor_of ON endpoint_ancestor (tenant_id, deployment, kind) INCLUDE (ancestor, known_at);
CALL tenant_table('endpoint_ancestor', 'SELECT, INSERT');
CALL append_only('endpoint_ancestor');

CREATE FUNCTION closure_begin() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO endpoint_ancestor (tenant_id, ancestor, deployment, kind) VALUES (NEW.tenant_id, NEW.id, NEW.id, NEW.kind)
        ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER closure_begin AFTER INSERT ON lineage_node FOR EACH ROW WHEN (NEW.kind = 'deployment')
    EXECUTE FUNCTION closure_begin();

-- One writer of edges at a time in a tenant (predictions, which nothing comes from, aside): two edges that make a way
-- together, written by two transactions that do not see each other, would both miss it.
CREATE FUNCTION closure_grow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('lineage ' || NEW.tenant_id, 0));
    IF NOT EXISTS (SELECT FROM endpoint_ancestor a WHERE a.tenant_id = NEW.tenant_id AND a.ancestor = NEW.dst) THEN
        RETURN NULL;
    END IF;
    INSERT INTO endpoint_ancestor (tenant_id, ancestor, deployment, kind)
        WITH RECURSIVE up (id) AS (
            SELECT NEW.src
            UNION SELECT e.src FROM up JOIN lineage_edge e ON e.tenant_id = NEW.tenant_id AND e.dst = up.id
                   WHERE e.kind <> 'predict')
        SELECT NEW.tenant_id, up.id, a.deployment, n.kind
          FROM up JOIN lineage_node n ON n.tenant_id = NEW.tenant_id AND n.id = up.id, endpoint_ancestor a
         WHERE a.tenant_id = NEW.tenant_id AND a.ancestor = NEW.dst
        ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER closure_grow AFTER INSERT ON lineage_edge FOR EACH ROW WHEN (NEW.kind <> 'predict')
    EXECUTE FUNCTION closure_grow();

-- What was deployed before this migration.
DO $$
DECLARE
    t uuid;
BEGIN
    FOR t IN SELECT tenant_id FROM tenant LOOP
        PERFORM set_config('app.tenant', t::text, true);
        INSERT INTO endpoint_ancestor (tenant_id, ancestor, deployment, kind)
            WITH RECURSIVE up (id, deployment) AS (
                SELECT n.id, n.id FROM lineage_node n WHERE n.tenant_id = t AND n.kind = 'deployment'
                UNION SELECT e.src, up.deployment FROM up JOIN lineage_edge e ON e.tenant_id = t AND e.dst = up.id
                       WHERE e.kind <> 'predict')
            SELECT t, up.id, up.deployment, n.kind FROM up JOIN lineage_node n ON n.tenant_id = t AND n.id = up.id
            ON CONFLICT DO NOTHING;
    END LOOP;
    PERFORM set_config('app.tenant', '', true);
END $$;

-- OpenLineage: what others tell of their jobs, runs and datasets. Their nodes and edges stand in the graph like ours.

CREATE TABLE ol_event (
    tenant_id   uuid        NOT NULL,
    digest      bytea       NOT NULL CONSTRAINT ol_event_digest CHECK (length(digest) = 32),
    seq         bigint      GENERATED ALWAYS AS IDENTITY,
    kind        text        NOT NULL CONSTRAINT ol_event_kind CHECK (kind IN ('run', 'job', 'dataset')),
    type        text,
    at          timestamptz NOT NULL,
    project     text        NOT NULL,
    namespace   text        NOT NULL,
    name        text        NOT NULL,
    run_id      text,
    raw         json        NOT NULL,
    request_id  uuid        NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT ol_event_key PRIMARY KEY (tenant_id, digest)
);
COMMENT ON TABLE ol_event IS 'Append-only: each event as it came, once, by the SHA-256 of its canonical form.';
COMMENT ON COLUMN ol_event.raw IS 'The event with every member it had, known to us or not.';
CREATE INDEX ol_event_by_time ON ol_event (tenant_id, at, seq);
CALL tenant_table('ol_event', 'SELECT, INSERT');
CALL append_only('ol_event');

CREATE TABLE ol_job (
    tenant_id  uuid        NOT NULL,
    id         bigint      NOT NULL,
    project    text        NOT NULL,
    namespace  text        NOT NULL,
    name       text        NOT NULL,
    facets     jsonb       NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT ol_job_key PRIMARY KEY (tenant_id, id)
);
COMMENT ON TABLE ol_job IS 'A job of another system. id is its node; facets are the newest of each name.';
CREATE INDEX ol_job_by_name ON ol_job (tenant_id, namespace, name);
CALL tenant_table('ol_job', 'SELECT, INSERT, UPDATE');

CREATE TABLE ol_dataset (
    tenant_id  uuid        NOT NULL,
    id         bigint      NOT NULL,
    project    text        NOT NULL,
    namespace  text        NOT NULL,
    name       text        NOT NULL,
    facets     jsonb       NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT ol_dataset_key PRIMARY KEY (tenant_id, id)
);
COMMENT ON TABLE ol_dataset IS 'A dataset of another system. id is its node; facets are the newest of each name.';
CREATE INDEX ol_dataset_by_name ON ol_dataset (tenant_id, namespace, name);
CALL tenant_table('ol_dataset', 'SELECT, INSERT, UPDATE');

CREATE TABLE ol_run (
    tenant_id  uuid        NOT NULL,
    id         bigint      NOT NULL,
    run_id     text        NOT NULL,
    job        bigint      NOT NULL,
    state      text        NOT NULL,
    started_at timestamptz,
    ended_at   timestamptz,
    facets     jsonb       NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT ol_run_key PRIMARY KEY (tenant_id, id)
);
COMMENT ON TABLE ol_run IS 'A run of a job of another system: what all its events, in whatever order they came, say together.';
CREATE INDEX ol_run_by_job ON ol_run (tenant_id, job, created_at);
CALL tenant_table('ol_run', 'SELECT, INSERT, UPDATE');

CREATE TABLE ol_io (
    tenant_id uuid    NOT NULL,
    job       bigint  NOT NULL,
    dataset   bigint  NOT NULL,
    output    boolean NOT NULL,
    CONSTRAINT ol_io_key PRIMARY KEY (tenant_id, job, dataset, output)
);
COMMENT ON TABLE ol_io IS 'Which datasets a job reads and writes, over all its runs: lineage as designed, for readers that know no runs.';
CREATE INDEX ol_io_by_dataset ON ol_io (tenant_id, dataset, output) INCLUDE (job);
CALL tenant_table('ol_io', 'SELECT, INSERT');
CALL append_only('ol_io');

CREATE TABLE ol_column (
    tenant_id uuid   NOT NULL,
    id        bigint NOT NULL,
    dataset   bigint NOT NULL,
    field     text   NOT NULL,
    CONSTRAINT ol_column_key PRIMARY KEY (tenant_id, id)
);
COMMENT ON TABLE ol_column IS 'Columns whose origin is known: their nodes, and the nodes of their datasets.';
CREATE INDEX ol_column_by_dataset ON ol_column (tenant_id, dataset);
CALL tenant_table('ol_column', 'SELECT, INSERT');
CALL append_only('ol_column');

-- Documents about a model are made from one record of it, which says the same whenever it is asked for.

CREATE FUNCTION utc_text(at timestamptz) RETURNS text LANGUAGE sql STABLE
    AS $$ SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') $$;
COMMENT ON FUNCTION utc_text IS 'RFC 3339 with milliseconds.';

CREATE FUNCTION principal_name(who uuid) RETURNS text LANGUAGE sql STABLE
    AS $$ SELECT name FROM principal WHERE tenant_id = current_tenant() AND id = who $$;

CREATE FUNCTION version_record(wanted uuid) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object(
        'node', format('projects/%s/%ss/%s/versions/%s', p.name, a.kind, a.name, v.number),
        'kind', a.kind, 'name', a.name, 'number', v.number, 'id', v.id, 'state', v.state,
        'digest', encode(v.digest, 'hex'), 'size', v.size, 'description', v.description, 'asset_description', a.description,
        'tags', a.tags || v.tags, 'manifest', v.manifest, 'created_by', principal_name(v.created_by),
        'created_at', utc_text(v.created_at), 'ready_at', utc_text(v.ready_at),
        'files', (SELECT coalesce(json_agg(json_build_object('path', f.path, 'size', f.size, 'sha256', encode(f.sha256, 'hex'))
                                           ORDER BY f.path COLLATE "C"), '[]')
                    FROM version_file f WHERE f.tenant_id = v.tenant_id AND f.version_id = v.id))
      FROM version v
      JOIN asset a ON a.tenant_id = v.tenant_id AND a.id = v.asset_id
      JOIN project p ON p.tenant_id = a.tenant_id AND p.id = a.project_id
     WHERE v.tenant_id = current_tenant() AND v.id = wanted $$;

CREATE FUNCTION approvals_record(of_version uuid, of_job uuid) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT coalesce(json_agg(json_build_object(
        'id', x.id, 'action', x.action, 'subject', x.subject, 'alias', x.alias, 'state', x.state, 'required', x.required,
        'requested_by', principal_name(x.requested_by), 'reason', x.reason,
        'evidence_digest', encode(x.evidence_digest, 'hex'), 'subject_digest', encode(x.subject_digest, 'hex'),
        'created_at', utc_text(x.created_at), 'closed_at', utc_text(x.closed_at),
        'decisions', (SELECT coalesce(json_agg(json_build_object('by', principal_name(d.decided_by), 'verdict', d.verdict,
                                      'reason', d.reason, 'evidence_digest', encode(d.evidence_digest, 'hex'),
                                      'at', utc_text(d.at)) ORDER BY d.at, d.decided_by), '[]')
                        FROM approval_decision d WHERE d.tenant_id = x.tenant_id AND d.approval_id = x.id))
        ORDER BY x.created_at, x.id), '[]')
      FROM approval x
     WHERE x.tenant_id = current_tenant() AND (x.version_id = of_version OR x.job_id = of_job) $$;

-- What else a version came from, of its own project: environments, code, prompts, runs…; not what other members of the
-- record have.
CREATE FUNCTION sources_record(of_node text, in_project text) RETURNS json LANGUAGE sql STABLE AS $$
    WITH RECURSIVE up (id) AS (
        SELECT n.id FROM lineage_node n WHERE n.tenant_id = current_tenant() AND n.name = of_node
        UNION SELECT e.src FROM up
          JOIN lineage_edge e ON e.tenant_id = current_tenant() AND e.dst = up.id AND e.kind <> 'predict'
          JOIN lineage_node s ON s.tenant_id = e.tenant_id AND s.id = e.src AND s.project = in_project)
    SELECT coalesce(json_agg(json_build_object('node', n.name, 'kind', n.kind, 'sha256', encode(n.digest, 'hex'))
                             ORDER BY n.name COLLATE "C"), '[]')
      FROM up JOIN lineage_node n ON n.tenant_id = current_tenant() AND n.id = up.id
     WHERE n.kind IN ('environment', 'component', 'prompt', 'notebook', 'flow', 'connection', 'code', 'external', 'run', 'dataset',
                      'logged-model') $$;

CREATE FUNCTION model_record(in_project text, model text, wanted bigint) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object(
        'tenant', t.name, 'project', p.name, 'project_description', p.description, 'policy', p.policy,
        'version', version_record(v.id),
        'job', (SELECT json_build_object('id', j.id, 'spec', j.spec, 'requested_by', principal_name(j.requested_by),
                       'created_at', utc_text(j.created_at), 'started_at', utc_text(j.started_at),
                       'finished_at', utc_text(j.finished_at))
                  FROM job j WHERE j.tenant_id = v.tenant_id AND j.id = v.job_id),
        'inputs', (SELECT coalesce(json_agg(version_record(i.id) ORDER BY i.id), '[]')
                     FROM job j JOIN version i ON i.tenant_id = j.tenant_id AND i.id IN (j.input_id, j.model_id)
                    WHERE j.tenant_id = v.tenant_id AND j.id = v.job_id),
        'sources', sources_record(format('projects/%s/models/%s/versions/%s', p.name, a.name, v.number), p.name),
        'approvals', approvals_record(v.id, v.job_id),
        'deployments', (SELECT coalesce(json_agg(json_build_object('id', d.id, 'endpoint', e.name, 'approval', d.approval_id,
                               'from', utc_text(d.deployed_at), 'until', utc_text(d.ended_at),
                               'by', principal_name(d.deployed_by)) ORDER BY d.deployed_at, d.id), '[]')
                          FROM deployment d JOIN endpoint e ON e.tenant_id = d.tenant_id AND e.id = d.endpoint_id
                         WHERE d.tenant_id = v.tenant_id AND d.version_id = v.id))
      FROM version v
      JOIN asset a ON a.tenant_id = v.tenant_id AND a.id = v.asset_id
      JOIN project p ON p.tenant_id = a.tenant_id AND p.id = a.project_id
      JOIN tenant t ON t.tenant_id = v.tenant_id
     WHERE v.tenant_id = current_tenant() AND p.name = in_project AND a.kind = 'model' AND a.name = model
       AND v.number = wanted AND v.state = 'ready' $$;
COMMENT ON FUNCTION model_record IS 'Everything on record about a ready version of a model; nothing in it depends on when it is asked for.';

-- What other systems told, in the words of Marquez's readers. seen: the projects that the caller may read.

CREATE FUNCTION ol_facets(facets jsonb) RETURNS json LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(json_object_agg(key, value), '{}') FROM jsonb_each(facets)
     WHERE NOT coalesce((value ->> '_deleted')::boolean, false) $$;
COMMENT ON FUNCTION ol_facets IS 'Without those that were taken back.';

CREATE FUNCTION ol_run_json(r ol_run) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object('id', r.run_id, 'createdAt', utc_text(r.created_at), 'updatedAt', utc_text(r.updated_at),
        'nominalStartTime', r.facets #>> '{nominalTime,nominalStartTime}',
        'nominalEndTime', r.facets #>> '{nominalTime,nominalEndTime}',
        'state', CASE r.state WHEN 'COMPLETE' THEN 'COMPLETED' WHEN 'FAIL' THEN 'FAILED' WHEN 'ABORT' THEN 'ABORTED' ELSE r.state END,
        'startedAt', utc_text(r.started_at), 'endedAt', utc_text(r.ended_at),
        'durationMs', (extract(epoch FROM r.ended_at - r.started_at) * 1000)::bigint, 'args', '{}'::json,
        'inputDatasetVersions', '[]'::json, 'outputDatasetVersions', '[]'::json, 'facets', ol_facets(r.facets)) $$;

CREATE FUNCTION ol_io_json(of_job bigint, of_output boolean, seen text[]) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT coalesce(json_agg(json_build_object('namespace', d.namespace, 'name', d.name) ORDER BY d.namespace, d.name), '[]')
      FROM ol_io i JOIN ol_dataset d ON d.tenant_id = i.tenant_id AND d.id = i.dataset
     WHERE i.tenant_id = current_tenant() AND i.job = of_job AND i.output = of_output AND d.project = ANY (seen) $$;

CREATE FUNCTION ol_job_json(j ol_job, seen text[]) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object('id', json_build_object('namespace', j.namespace, 'name', j.name),
        'type', coalesce(j.facets #>> '{jobType,processingType}', 'BATCH'), 'name', j.name, 'simpleName', j.name,
        'namespace', j.namespace, 'createdAt', utc_text(j.created_at), 'updatedAt', utc_text(j.updated_at),
        'inputs', ol_io_json(j.id, false, seen), 'outputs', ol_io_json(j.id, true, seen),
        'location', j.facets #>> '{sourceCodeLocation,url}', 'description', j.facets #>> '{documentation,description}',
        'latestRun', (SELECT ol_run_json(r) FROM ol_run r WHERE r.tenant_id = j.tenant_id AND r.job = j.id
                       ORDER BY r.created_at DESC, r.id DESC LIMIT 1),
        'latestRuns', (SELECT coalesce(json_agg(ol_run_json(r)), '[]') FROM (SELECT * FROM ol_run r
                        WHERE r.tenant_id = j.tenant_id AND r.job = j.id ORDER BY r.created_at DESC, r.id DESC LIMIT 10) r),
        'facets', ol_facets(j.facets), 'labels', '[]'::json, 'tags', '[]'::json) $$;

CREATE FUNCTION ol_dataset_json(d ol_dataset) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object('id', json_build_object('namespace', d.namespace, 'name', d.name), 'type', 'DB_TABLE',
        'name', d.name, 'physicalName', d.name, 'namespace', d.namespace, 'createdAt', utc_text(d.created_at),
        'updatedAt', utc_text(d.updated_at), 'lastModifiedAt', utc_text(d.updated_at),
        'sourceName', coalesce(d.facets #>> '{dataSource,name}', d.namespace),
        'description', d.facets #>> '{documentation,description}',
        'fields', (SELECT coalesce(json_agg(json_build_object('name', f ->> 'name', 'type', f ->> 'type', 'tags', '[]'::json,
                          'description', f ->> 'description')), '[]')
                     FROM jsonb_array_elements(CASE jsonb_typeof(d.facets #> '{schema,fields}') WHEN 'array'
                                               THEN d.facets #> '{schema,fields}' ELSE '[]' END) f),
        'tags', '[]'::json, 'lastLifecycleState', coalesce(d.facets #>> '{lifecycleStateChange,lifecycleStateChange}', ''),
        'deleted', coalesce(d.facets #>> '{lifecycleStateChange,lifecycleStateChange}', '') = 'DROP',
        'facets', ol_facets(d.facets)) $$;

-- Nodes at most so many steps away by the edges of one kind of graph: jobs and datasets, or columns.
CREATE FUNCTION ol_around(start bigint, columns boolean, downstream boolean, steps int, most int) RETURNS bigint[]
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    found    bigint[] := ARRAY [start];
    frontier bigint[] := ARRAY [start];
BEGIN
    FOR step IN 1 .. steps LOOP
        frontier := ARRAY (
            SELECT id FROM (
                SELECT i.dataset AS id FROM ol_io i WHERE NOT columns AND i.tenant_id = current_tenant() AND i.job = ANY (frontier)
                UNION SELECT i.job FROM ol_io i WHERE NOT columns AND i.tenant_id = current_tenant() AND i.dataset = ANY (frontier)
                UNION SELECT e.src FROM lineage_edge e WHERE columns AND e.tenant_id = current_tenant()
                         AND e.dst = ANY (frontier) AND e.kind = 'derive'
                UNION SELECT e.dst FROM lineage_edge e WHERE columns AND downstream AND e.tenant_id = current_tenant()
                         AND e.src = ANY (frontier) AND e.kind = 'derive') n
            EXCEPT SELECT unnest(found));
        EXIT WHEN cardinality(frontier) = 0 OR cardinality(found) + cardinality(frontier) > most;
        found := found || frontier;
    END LOOP;
    RETURN found;
END $$;
COMMENT ON FUNCTION ol_around IS 'Whole steps only: the one that would exceed most is not taken.';

CREATE FUNCTION ol_edge_json(origin text, destination text) RETURNS json LANGUAGE sql IMMUTABLE
    AS $$ SELECT json_build_object('origin', substr(origin, 4), 'destination', substr(destination, 4)) $$;

CREATE FUNCTION ol_lineage_json(start bigint, steps int, seen text[]) RETURNS json LANGUAGE sql STABLE AS $$
    WITH node AS (
        SELECT n.id, n.name, n.kind FROM lineage_node n
         WHERE n.tenant_id = current_tenant() AND n.id = ANY (ol_around(start, false, true, steps, 5000))
           AND n.project = ANY (seen) AND n.kind IN ('ol-job', 'ol-dataset')),
    edge AS (
        SELECT CASE WHEN i.output THEN j.id ELSE d.id END AS src, CASE WHEN i.output THEN d.id ELSE j.id END AS dst,
               CASE WHEN i.output THEN ol_edge_json(j.name, d.name) ELSE ol_edge_json(d.name, j.name) END AS edge
          FROM ol_io i JOIN node j ON j.id = i.job JOIN node d ON d.id = i.dataset WHERE i.tenant_id = current_tenant())
    SELECT json_build_object('graph', coalesce(json_agg(json_build_object(
        'id', substr(n.name, 4), 'type', CASE n.kind WHEN 'ol-job' THEN 'JOB' ELSE 'DATASET' END,
        'data', coalesce((SELECT ol_job_json(j, seen) FROM ol_job j WHERE j.tenant_id = current_tenant() AND j.id = n.id),
                         (SELECT ol_dataset_json(d) FROM ol_dataset d WHERE d.tenant_id = current_tenant() AND d.id = n.id)),
        'inEdges', (SELECT coalesce(json_agg(e.edge), '[]') FROM edge e WHERE e.dst = n.id),
        'outEdges', (SELECT coalesce(json_agg(e.edge), '[]') FROM edge e WHERE e.src = n.id)) ORDER BY n.name), '[]'))
      FROM node n $$;

-- A version of ours as others would describe it: its node's name, and the columns that its manifest has.
CREATE FUNCTION own_facets(node text) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object('schema', jsonb_build_object('fields',
               coalesce(v.manifest::jsonb -> 'columns', v.manifest::jsonb -> 'features', '[]')))
      FROM project p
      JOIN asset a ON a.tenant_id = p.tenant_id AND a.project_id = p.id AND a.kind || 's' = split_part(node, '/', 3)
       AND a.name = split_part(node, '/', 4)
      JOIN version v ON v.tenant_id = a.tenant_id AND v.asset_id = a.id AND v.number::text = split_part(node, '/', 6)
     WHERE p.tenant_id = current_tenant() AND p.name = split_part(node, '/', 2) $$;

-- whole: the projects of which the caller may read everything, so columns of our own versions too.
CREATE FUNCTION ol_column_lineage_json(starts bigint[], steps int, downstream boolean, seen text[], whole text[])
    RETURNS json LANGUAGE sql STABLE AS $$
    WITH node AS (
        SELECT DISTINCT n.id, n.name, c.field, coalesce(d.namespace, 'chancery') AS namespace,
               coalesce(d.name, o.name) AS dataset, coalesce(d.facets, own_facets(o.name), '{}') AS facets
          FROM unnest(starts) s, unnest(ol_around(s, true, downstream, steps, 5000)) a
          JOIN lineage_node n ON n.tenant_id = current_tenant() AND n.id = a AND n.project = ANY (seen)
          JOIN ol_column c ON c.tenant_id = n.tenant_id AND c.id = n.id
          JOIN lineage_node o ON o.tenant_id = c.tenant_id AND o.id = c.dataset
          LEFT JOIN ol_dataset d ON d.tenant_id = c.tenant_id AND d.id = c.dataset
         WHERE d.id IS NOT NULL OR (o.kind IN ('dataset-version', 'model-version') AND o.project = ANY (whole))),
    edge AS (
        SELECT s.id AS src, t.id AS dst, s.namespace, s.dataset, s.field,
               json_build_object('origin', 'datasetField' || substr(s.name, 10), 'destination', 'datasetField' || substr(t.name, 10)) AS edge
          FROM lineage_edge e JOIN node s ON s.id = e.src JOIN node t ON t.id = e.dst
         WHERE e.tenant_id = current_tenant() AND e.kind = 'derive')
    SELECT json_build_object('graph', coalesce(json_agg(json_build_object(
        'id', 'datasetField' || substr(n.name, 10), 'type', 'DATASET_FIELD',
        'data', json_build_object('namespace', n.namespace, 'dataset', n.dataset, 'field', n.field, 'fieldType',
                coalesce((SELECT f ->> 'type' FROM jsonb_array_elements(CASE jsonb_typeof(n.facets #> '{schema,fields}')
                          WHEN 'array' THEN n.facets #> '{schema,fields}' ELSE '[]' END) f
                          WHERE f ->> 'name' = n.field LIMIT 1), ''),
                'transformationDescription', n.facets #>> ARRAY ['columnLineage', 'fields', n.field, 'transformationDescription'],
                'transformationType', n.facets #>> ARRAY ['columnLineage', 'fields', n.field, 'transformationType'],
                'inputFields', (SELECT coalesce(json_agg(json_build_object('namespace', e.namespace, 'dataset', e.dataset,
                                       'field', e.field)), '[]') FROM edge e WHERE e.dst = n.id)),
        'inEdges', (SELECT coalesce(json_agg(e.edge), '[]') FROM edge e WHERE e.dst = n.id),
        'outEdges', (SELECT coalesce(json_agg(e.edge), '[]') FROM edge e WHERE e.src = n.id)) ORDER BY n.name), '[]'))
      FROM node n $$;

CREATE TABLE model_key (
    tenant_id  uuid        NOT NULL CONSTRAINT model_key_key PRIMARY KEY,
    public     text        NOT NULL,
    sealed     bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE model_key IS 'Append-only: the tenant''s ECDSA P-256 key for OpenSSF model signatures, sealed; public is its SubjectPublicKeyInfo in PEM.';
CALL tenant_table('model_key', 'SELECT, INSERT');
CALL append_only('model_key');
