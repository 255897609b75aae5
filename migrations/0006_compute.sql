-- Jobs and their events, endpoints and their deployments.

CREATE TABLE job (
    tenant_id    uuid        NOT NULL,
    id           uuid        NOT NULL,
    project_id   uuid        NOT NULL,
    kind         text        NOT NULL CONSTRAINT job_kind CHECK (kind IN ('train', 'predict')),
    spec         json        NOT NULL,
    spec_digest  bytea       NOT NULL CONSTRAINT job_digest CHECK (length(spec_digest) = 32),
    state        text        NOT NULL CONSTRAINT job_state CHECK (state IN
                 ('waiting', 'queued', 'running', 'succeeded', 'failed', 'cancelled')),
    approval_id  uuid,
    input_id     uuid        NOT NULL,
    model_id     uuid,
    output_id    uuid,
    attempts     int         NOT NULL DEFAULT 0,
    attempts_max int         NOT NULL DEFAULT 3,
    lease_owner  text,
    lease_until  timestamptz,
    cancel       boolean     NOT NULL DEFAULT false,
    progress     float8      NOT NULL DEFAULT 0,
    message      text        NOT NULL DEFAULT '',
    result       json,
    requested_by uuid        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    started_at   timestamptz,
    finished_at  timestamptz,
    CONSTRAINT job_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT job_project FOREIGN KEY (tenant_id, project_id) REFERENCES project,
    CONSTRAINT job_requester FOREIGN KEY (tenant_id, requested_by) REFERENCES principal,
    CONSTRAINT job_input FOREIGN KEY (tenant_id, input_id) REFERENCES version,
    CONSTRAINT job_model FOREIGN KEY (tenant_id, model_id) REFERENCES version,
    CONSTRAINT job_output FOREIGN KEY (tenant_id, output_id) REFERENCES version,
    CONSTRAINT job_approval FOREIGN KEY (tenant_id, approval_id) REFERENCES approval
);
COMMENT ON TABLE job IS 'Work for the engine. spec_digest covers the specification and the digests of its inputs; an approval covers that digest.';
COMMENT ON COLUMN job.lease_until IS 'A running job whose lease has passed is taken up again by another worker.';
CREATE INDEX job_by_time ON job (tenant_id, project_id, created_at DESC);
CREATE INDEX job_by_start ON job (tenant_id, started_at);
CREATE INDEX job_to_do ON job (state, created_at) WHERE state IN ('queued', 'running');
CALL tenant_table('job', 'SELECT, INSERT, UPDATE', true);

-- The assets that a job is about, and a request: who may not see one of them sees neither.
CREATE FUNCTION job_things(j job) RETURNS text[] LANGUAGE sql STABLE SET search_path = chancery, pg_temp AS $$
    SELECT array_agg(format('%ss/%s', a.kind, a.name)) || (j.spec ->> 'output')
      FROM version v JOIN asset a ON a.tenant_id = v.tenant_id AND a.id = v.asset_id
     WHERE v.tenant_id = j.tenant_id AND v.id IN (j.input_id, j.model_id, j.output_id) AND a.project_id = j.project_id
$$;
CREATE FUNCTION approval_things(x approval) RETURNS text[] LANGUAGE sql STABLE SET search_path = chancery, pg_temp AS $$
    SELECT CASE WHEN x.job_id IS NULL THEN ARRAY[split_part(x.subject, '/versions/', 1)]
           ELSE (SELECT job_things(j) FROM job j WHERE j.tenant_id = x.tenant_id AND j.id = x.job_id) END
$$;
COMMENT ON FUNCTION job_things IS 'Names of assets of its project, as models/risk; not of what another shares with it.';
COMMENT ON FUNCTION approval_things IS 'Names of assets, as models/risk.';
ALTER TABLE approval ADD CONSTRAINT approval_job FOREIGN KEY (tenant_id, job_id) REFERENCES job;
ALTER TABLE version ADD CONSTRAINT version_job FOREIGN KEY (tenant_id, job_id) REFERENCES job;

-- Nothing governed runs without an approval that covers exactly this: a job that waits is queued by it, and a training
-- where the project's policy wants approvals can only begin as one that waits.
CREATE FUNCTION job_approved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state NOT IN ('queued', 'running') THEN
        RETURN NEW;
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.kind = 'train' AND EXISTS (SELECT FROM project p WHERE p.tenant_id = NEW.tenant_id AND p.id = NEW.project_id
                                             AND (p.policy #>> '{train,approvals}')::int > 0)
        THEN
            RAISE EXCEPTION 'a training needs an approval here' USING ERRCODE = 'CH002', CONSTRAINT = 'job_approved';
        END IF;
    ELSIF (NEW.state, NEW.attempts) IS DISTINCT FROM (OLD.state, OLD.attempts) -- telling a running job to stop is always allowed
       AND (OLD.state = 'waiting' OR NEW.approval_id IS NOT NULL) AND NOT EXISTS (
        SELECT FROM approval a WHERE a.tenant_id = NEW.tenant_id AND a.id = NEW.approval_id AND a.state = 'approved'
           AND a.expires_at > now() AND a.job_id = NEW.id AND a.subject_digest = NEW.spec_digest)
    THEN
        RAISE EXCEPTION 'the job''s approval is not in force' USING ERRCODE = 'CH002', CONSTRAINT = 'job_approved';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER job_approved BEFORE INSERT OR UPDATE OF state ON job FOR EACH ROW EXECUTE FUNCTION job_approved();

CREATE FUNCTION job_claim(worker text, lease_seconds int) RETURNS TABLE (tenant_id uuid, id uuid)
    LANGUAGE sql SECURITY DEFINER SET search_path = chancery, pg_temp AS $$
    UPDATE job j SET state = 'running', attempts = j.attempts + 1, lease_owner = worker,
                     lease_until = now() + make_interval(secs => lease_seconds), started_at = coalesce(j.started_at, now())
      FROM (SELECT c.tenant_id, c.id FROM job c
              LEFT JOIN approval a ON a.tenant_id = c.tenant_id AND a.id = c.approval_id
             WHERE (c.state = 'queued' OR (c.state = 'running' AND c.lease_until < now()))
               AND c.attempts < c.attempts_max AND NOT c.cancel
               AND (c.approval_id IS NULL OR (a.state = 'approved' AND a.expires_at > now() AND a.subject_digest = c.spec_digest))
             ORDER BY (SELECT count(*) FROM job r WHERE r.tenant_id = c.tenant_id AND r.state = 'running' AND r.lease_until >= now()),
                      (SELECT max(s.started_at) FROM job s WHERE s.tenant_id = c.tenant_id) NULLS FIRST,
                      c.created_at LIMIT 1 FOR UPDATE OF c SKIP LOCKED) next
     WHERE j.tenant_id = next.tenant_id AND j.id = next.id
    RETURNING j.tenant_id, j.id $$;
COMMENT ON FUNCTION job_claim IS 'definer: a worker takes the oldest job, under a lease, of the tenant with the fewest that run, then of the one whose turn is longest ago.';
CREATE POLICY definer ON approval TO chancery_owner USING (true) WITH CHECK (true);

CREATE FUNCTION job_abandoned() RETURNS TABLE (tenant_id uuid, id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = chancery, pg_temp AS $$
    SELECT j.tenant_id, j.id FROM job j
      LEFT JOIN approval a ON a.tenant_id = j.tenant_id AND a.id = j.approval_id
     WHERE (j.state = 'running' AND j.lease_until < now() AND (j.attempts >= j.attempts_max OR j.cancel))
        OR (j.state IN ('queued', 'waiting') AND j.cancel)
        OR (j.state = 'queued' AND j.approval_id IS NOT NULL AND NOT (a.state = 'approved' AND a.expires_at > now())) $$;
COMMENT ON FUNCTION job_abandoned IS 'definer: jobs that no worker will finish: out of attempts, cancelled, or no longer approved.';

CREATE TABLE job_event (
    tenant_id uuid        NOT NULL,
    job_id    uuid        NOT NULL,
    seq       bigint      GENERATED ALWAYS AS IDENTITY,
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind      text        NOT NULL,
    data      json        NOT NULL,
    CONSTRAINT job_event_key PRIMARY KEY (tenant_id, job_id, seq),
    CONSTRAINT job_event_job FOREIGN KEY (tenant_id, job_id) REFERENCES job
);
COMMENT ON TABLE job_event IS 'Append-only: what a job said on its way: state changes and progress.';
CALL tenant_table('job_event', 'SELECT, INSERT');
CALL append_only('job_event');

CREATE TABLE endpoint (
    tenant_id   uuid        NOT NULL,
    id          uuid        NOT NULL,
    project_id  uuid        NOT NULL,
    name        text        NOT NULL CONSTRAINT endpoint_name CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    description text        NOT NULL DEFAULT '',
    state       text        NOT NULL DEFAULT 'active' CONSTRAINT endpoint_state CHECK (state IN ('active', 'deleted')),
    revision    bigint      NOT NULL DEFAULT 1,
    created_by  uuid        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT endpoint_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT endpoint_by_name UNIQUE (tenant_id, project_id, name),
    CONSTRAINT endpoint_project FOREIGN KEY (tenant_id, project_id) REFERENCES project,
    CONSTRAINT endpoint_creator FOREIGN KEY (tenant_id, created_by) REFERENCES principal
);
COMMENT ON TABLE endpoint IS 'A name that answers inference requests with whatever approved version is deployed to it.';
CALL tenant_table('endpoint', 'SELECT, INSERT, UPDATE');

CREATE TABLE deployment (
    tenant_id   uuid        NOT NULL,
    id          uuid        NOT NULL,
    endpoint_id uuid        NOT NULL,
    version_id  uuid        NOT NULL,
    approval_id uuid        NOT NULL,
    digest      bytea       NOT NULL CONSTRAINT deployment_digest CHECK (length(digest) = 32),
    deployed_by uuid        NOT NULL,
    deployed_at timestamptz NOT NULL DEFAULT now(),
    ended_at    timestamptz,
    CONSTRAINT deployment_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT deployment_endpoint FOREIGN KEY (tenant_id, endpoint_id) REFERENCES endpoint,
    CONSTRAINT deployment_version FOREIGN KEY (tenant_id, version_id) REFERENCES version,
    CONSTRAINT deployment_approval FOREIGN KEY (tenant_id, approval_id) REFERENCES approval,
    CONSTRAINT deployment_by FOREIGN KEY (tenant_id, deployed_by) REFERENCES principal
);
COMMENT ON TABLE deployment IS 'From when to when an endpoint served a version, under which approval; digest is the version''s.';
CREATE UNIQUE INDEX deployment_current ON deployment (tenant_id, endpoint_id) WHERE ended_at IS NULL;
CALL tenant_table('deployment', 'SELECT, INSERT, UPDATE');

CREATE FUNCTION deployment_approved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM approval a JOIN version v ON v.tenant_id = a.tenant_id AND v.id = a.version_id
                    WHERE a.tenant_id = NEW.tenant_id AND a.id = NEW.approval_id AND a.state = 'approved'
                      AND a.action = 'promote' AND a.expires_at > now() AND a.version_id = NEW.version_id
                      AND a.subject_digest = NEW.digest AND v.digest = NEW.digest AND v.state = 'ready')
    THEN
        RAISE EXCEPTION 'only an approved version can be deployed' USING ERRCODE = 'CH002';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER deployment_approved BEFORE INSERT ON deployment FOR EACH ROW EXECUTE FUNCTION deployment_approved();
