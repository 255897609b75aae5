-- Stages of registered models as MLflow's clients move them, governed as the alias of the same name is.

CREATE TABLE stage_move (
    tenant_id   uuid        NOT NULL,
    asset_id    uuid        NOT NULL,
    seq         bigint      GENERATED ALWAYS AS IDENTITY,
    version_id  uuid        NOT NULL,
    stage       text        NOT NULL CONSTRAINT stage_move_stage CHECK (stage IN ('None', 'Staging', 'Production', 'Archived')),
    archive     boolean     NOT NULL DEFAULT false,
    approval_id uuid,
    set_by      uuid        NOT NULL,
    set_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT stage_move_key PRIMARY KEY (tenant_id, asset_id, seq),
    CONSTRAINT stage_move_asset FOREIGN KEY (tenant_id, asset_id) REFERENCES asset,
    CONSTRAINT stage_move_approval FOREIGN KEY (tenant_id, approval_id) REFERENCES approval,
    CONSTRAINT stage_move_setter FOREIGN KEY (tenant_id, set_by) REFERENCES principal
);
COMMENT ON TABLE stage_move IS 'Append-only: who put which version into which stage. One that waits for its approval means nothing until that is granted, and nothing once it is no longer in force.';
COMMENT ON COLUMN stage_move.archive IS 'What was in the stage before is Archived from then on.';
CALL tenant_table('stage_move', 'SELECT, INSERT');
CALL append_only('stage_move');

-- A stage whose name is a protected alias is entered only under an approval for that alias, be it still asked for.
CREATE FUNCTION stage_approved() RETURNS trigger LANGUAGE plpgsql SET search_path = chancery, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM asset a JOIN project p ON p.tenant_id = a.tenant_id AND p.id = a.project_id
                WHERE a.tenant_id = NEW.tenant_id AND a.id = NEW.asset_id
                  AND p.policy #> '{promote,aliases}' ? lower(NEW.stage))
       AND NOT EXISTS (SELECT FROM approval x JOIN version v ON v.tenant_id = x.tenant_id AND v.id = x.version_id
                WHERE x.tenant_id = NEW.tenant_id AND x.id = NEW.approval_id AND x.action = 'promote'
                  AND x.version_id = NEW.version_id AND x.alias = lower(NEW.stage) AND x.state IN ('pending', 'approved')
                  AND x.expires_at > now() AND x.subject_digest = v.digest AND v.state = 'ready')
    THEN
        RAISE EXCEPTION 'a protected stage is entered only by an approval' USING ERRCODE = 'CH002', CONSTRAINT = 'stage_approved';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER stage_approved BEFORE INSERT ON stage_move FOR EACH ROW EXECUTE FUNCTION stage_approved();

-- The stage a version is in: its last move that is in force, unless a later one of another version archived it.
CREATE FUNCTION version_stage(of_tenant uuid, of_asset uuid, of_version uuid) RETURNS text
    LANGUAGE sql STABLE SET search_path = chancery, pg_temp AS $$
    WITH moved AS (
        SELECT m.version_id, m.stage, m.archive, m.seq, greatest(m.set_at, x.closed_at) AS at
          FROM stage_move m LEFT JOIN approval x ON x.tenant_id = m.tenant_id AND x.id = m.approval_id
         WHERE m.tenant_id = of_tenant AND m.asset_id = of_asset
           AND (m.approval_id IS NULL OR (x.state = 'approved' AND x.expires_at > now()))),
    own AS (SELECT * FROM moved WHERE version_id = of_version ORDER BY at DESC, seq DESC LIMIT 1)
    SELECT coalesce((SELECT CASE WHEN own.stage IN ('Staging', 'Production') AND EXISTS (
            SELECT FROM moved o WHERE o.version_id <> of_version AND o.stage = own.stage AND o.archive
               AND (o.at, o.seq) > (own.at, own.seq)) THEN 'Archived' ELSE own.stage END FROM own), 'None');
$$;

CREATE TABLE multipart (
    tenant_id  uuid        NOT NULL,
    id         uuid        NOT NULL,
    project_id uuid        NOT NULL,
    owner      text        NOT NULL CONSTRAINT multipart_owner CHECK (owner IN ('run', 'model')),
    owner_id   text        NOT NULL,
    path       text COLLATE "C" NOT NULL CONSTRAINT multipart_path CHECK (octet_length(path) BETWEEN 1 AND 512),
    parts      int         NOT NULL CONSTRAINT multipart_parts CHECK (parts BETWEEN 1 AND 10000),
    created_by uuid        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    CONSTRAINT multipart_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT multipart_project FOREIGN KEY (tenant_id, project_id) REFERENCES project,
    CONSTRAINT multipart_creator FOREIGN KEY (tenant_id, created_by) REFERENCES principal
);
COMMENT ON TABLE multipart IS 'An artifact on its way in numbered parts.';
CREATE INDEX multipart_by_expiry ON multipart (tenant_id, expires_at);
CALL tenant_table('multipart', 'SELECT, INSERT, UPDATE, DELETE');

CREATE TABLE multipart_part (
    tenant_id uuid   NOT NULL,
    upload_id uuid   NOT NULL,
    part      int    NOT NULL CONSTRAINT multipart_part_number CHECK (part > 0),
    sha256    bytea  NOT NULL,
    size      bigint NOT NULL,
    CONSTRAINT multipart_part_key PRIMARY KEY (tenant_id, upload_id, part),
    CONSTRAINT multipart_part_upload FOREIGN KEY (tenant_id, upload_id) REFERENCES multipart ON DELETE CASCADE,
    CONSTRAINT multipart_part_blob FOREIGN KEY (tenant_id, sha256) REFERENCES blob
);
COMMENT ON TABLE multipart_part IS 'Parts that have arrived, each a content of the store until it is joined or given up.';
CREATE INDEX multipart_part_by_blob ON multipart_part (tenant_id, sha256);
CALL tenant_table('multipart_part', 'SELECT, INSERT, DELETE');

CREATE TABLE webhook (
    tenant_id   uuid        NOT NULL,
    id          uuid        NOT NULL,
    project_id  uuid        NOT NULL,
    name        text        NOT NULL CONSTRAINT webhook_name CHECK (name ~ '^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$'),
    url         text        NOT NULL CONSTRAINT webhook_url CHECK (url LIKE 'https://%' AND length(url) <= 2000),
    description text        NOT NULL DEFAULT '',
    status      text        NOT NULL CONSTRAINT webhook_status CHECK (status IN ('ACTIVE', 'DISABLED')),
    events      text[]      NOT NULL CONSTRAINT webhook_events CHECK (cardinality(events) BETWEEN 1 AND 14),
    sealed      bytea,
    created_by  uuid        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT webhook_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT webhook_by_name UNIQUE (tenant_id, project_id, name),
    CONSTRAINT webhook_project FOREIGN KEY (tenant_id, project_id) REFERENCES project,
    CONSTRAINT webhook_creator FOREIGN KEY (tenant_id, created_by) REFERENCES principal
);
COMMENT ON TABLE webhook IS 'Who is told what happens in the registry of a project.';
COMMENT ON COLUMN webhook.sealed IS 'The key of its signatures, sealed; NULL: messages are not signed.';
CALL tenant_table('webhook', 'SELECT, INSERT, UPDATE, DELETE');

CREATE TABLE webhook_delivery (
    tenant_id   uuid        NOT NULL,
    seq         bigint      GENERATED ALWAYS AS IDENTITY,
    id          uuid        NOT NULL,
    webhook_id  uuid        NOT NULL,
    event       text        NOT NULL,
    payload     json        NOT NULL,
    state       text        NOT NULL DEFAULT 'pending' CONSTRAINT webhook_delivery_state CHECK (state IN ('pending', 'delivered', 'failed')),
    attempts    int         NOT NULL DEFAULT 0,
    status      int         NOT NULL DEFAULT 0,
    problem     text,
    next_at     timestamptz NOT NULL DEFAULT now(),
    created_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    CONSTRAINT webhook_delivery_key PRIMARY KEY (tenant_id, seq),
    CONSTRAINT webhook_delivery_by_id UNIQUE (tenant_id, id),
    CONSTRAINT webhook_delivery_webhook FOREIGN KEY (tenant_id, webhook_id) REFERENCES webhook ON DELETE CASCADE
);
COMMENT ON TABLE webhook_delivery IS 'Messages to webhooks: written with what they tell of, sent afterwards, kept as the log of deliveries.';
CREATE INDEX webhook_delivery_due ON webhook_delivery (tenant_id, next_at) WHERE state = 'pending';
CREATE INDEX webhook_delivery_by_webhook ON webhook_delivery (tenant_id, webhook_id, seq DESC);
CALL tenant_table('webhook_delivery', 'SELECT, INSERT, UPDATE, DELETE', true);

CREATE FUNCTION webhook_work() RETURNS TABLE (tenant_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = chancery, pg_temp AS $$
    SELECT DISTINCT d.tenant_id FROM webhook_delivery d WHERE d.state = 'pending' AND d.next_at <= now() $$;
COMMENT ON FUNCTION webhook_work IS 'definer: the sender asks which tenants have messages that are due.';

CREATE FUNCTION webhook_tell(of_tenant uuid, of_project uuid, what text, payload json) RETURNS void
    LANGUAGE sql SET search_path = chancery, pg_temp AS $$
    INSERT INTO webhook_delivery (tenant_id, id, webhook_id, event, payload)
    SELECT w.tenant_id, gen_random_uuid(), w.id, what, payload FROM webhook w
     WHERE w.tenant_id = of_tenant AND w.project_id = of_project AND w.status = 'ACTIVE' AND what = ANY (w.events);
$$;

-- What changed between two objects of tags: one message for each.
CREATE FUNCTION webhook_tell_tags(of_tenant uuid, of_project uuid, what text, payload jsonb, before jsonb, after jsonb) RETURNS void
    LANGUAGE sql SET search_path = chancery, pg_temp AS $$
    SELECT webhook_tell(of_tenant, of_project, what || '.set', (payload || jsonb_build_object('key', n.key, 'value', n.value))::json)
      FROM jsonb_each_text(after) n WHERE before ->> n.key IS DISTINCT FROM n.value;
    SELECT webhook_tell(of_tenant, of_project, what || '.deleted', (payload || jsonb_build_object('key', o.key))::json)
      FROM jsonb_each_text(before) o WHERE NOT after ? o.key;
$$;

CREATE FUNCTION asset_webhook() RETURNS trigger LANGUAGE plpgsql SET search_path = chancery, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM webhook w WHERE w.tenant_id = NEW.tenant_id AND w.project_id = NEW.project_id) THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'INSERT' AND NEW.state = 'active' THEN
        PERFORM webhook_tell(NEW.tenant_id, NEW.project_id, CASE NEW.kind WHEN 'prompt' THEN 'prompt.created' ELSE 'registered_model.created' END,
            json_build_object('name', NEW.name, 'tags', NEW.tags, 'description', NEW.description));
    ELSIF TG_OP = 'UPDATE' AND NEW.kind = 'prompt' AND NEW.tags <> OLD.tags AND NEW.state = 'active' THEN
        PERFORM webhook_tell_tags(NEW.tenant_id, NEW.project_id, 'prompt_tag', jsonb_build_object('name', NEW.name), OLD.tags, NEW.tags);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER asset_webhook AFTER INSERT OR UPDATE ON asset FOR EACH ROW
    WHEN (NEW.kind IN ('model', 'prompt')) EXECUTE FUNCTION asset_webhook();

CREATE FUNCTION version_webhook() RETURNS trigger LANGUAGE plpgsql SET search_path = chancery, pg_temp AS $$
DECLARE
    a asset;
    thing text;
BEGIN
    SELECT * INTO a FROM asset x WHERE x.tenant_id = NEW.tenant_id AND x.id = NEW.asset_id;
    IF a.kind NOT IN ('model', 'prompt')
       OR NOT EXISTS (SELECT FROM webhook w WHERE w.tenant_id = a.tenant_id AND w.project_id = a.project_id) THEN
        RETURN NULL;
    END IF;
    thing := CASE a.kind WHEN 'prompt' THEN 'prompt_version' ELSE 'model_version' END;
    IF OLD.state = 'pending' AND NEW.state = 'ready' THEN
        PERFORM webhook_tell(a.tenant_id, a.project_id, thing || '.created', (jsonb_build_object('name', a.name,
            'version', NEW.number::text, 'tags', NEW.tags, 'description', NEW.description) || CASE a.kind
            WHEN 'prompt' THEN jsonb_build_object('template', NEW.manifest ->> 'template')
            ELSE jsonb_build_object('source', coalesce(NEW.manifest -> 'mlflow' ->> 'source',
                'mlflow-artifacts:/registered-models/' || a.name || '/' || NEW.number),
                'run_id', NEW.manifest -> 'mlflow' ->> 'run_id') END)::json);
    ELSIF NEW.tags <> OLD.tags AND NEW.state = 'ready' THEN
        PERFORM webhook_tell_tags(a.tenant_id, a.project_id, thing || '_tag',
            jsonb_build_object('name', a.name, 'version', NEW.number::text), OLD.tags, NEW.tags);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER version_webhook AFTER UPDATE ON version FOR EACH ROW EXECUTE FUNCTION version_webhook();

CREATE FUNCTION alias_webhook() RETURNS trigger LANGUAGE plpgsql SET search_path = chancery, pg_temp AS $$
DECLARE
    l record;
    a asset;
    thing text;
BEGIN
    IF TG_OP = 'DELETE' THEN
        l := OLD;
    ELSE
        l := NEW;
    END IF;
    SELECT * INTO a FROM asset x WHERE x.tenant_id = l.tenant_id AND x.id = l.asset_id;
    IF a.kind NOT IN ('model', 'prompt')
       OR NOT EXISTS (SELECT FROM webhook w WHERE w.tenant_id = a.tenant_id AND w.project_id = a.project_id) THEN
        RETURN NULL;
    END IF;
    thing := CASE a.kind WHEN 'prompt' THEN 'prompt_alias' ELSE 'model_version_alias' END;
    IF TG_OP = 'DELETE' THEN
        PERFORM webhook_tell(a.tenant_id, a.project_id, thing || '.deleted', json_build_object('name', a.name, 'alias', l.name));
    ELSE
        PERFORM webhook_tell(a.tenant_id, a.project_id, thing || '.created', json_build_object('name', a.name, 'alias', l.name,
            'version', (SELECT v.number::text FROM version v WHERE v.tenant_id = l.tenant_id AND v.id = l.version_id)));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER alias_webhook AFTER INSERT OR UPDATE OR DELETE ON alias FOR EACH ROW EXECUTE FUNCTION alias_webhook();
