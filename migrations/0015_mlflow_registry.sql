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
