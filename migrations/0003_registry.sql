-- Assets of every kind, their immutable versions, files, aliases, and the content-addressed store.

CREATE TABLE asset (
    tenant_id   uuid        NOT NULL,
    id          uuid        NOT NULL,
    project_id  uuid        NOT NULL,
    kind        text        NOT NULL CONSTRAINT asset_kind CHECK (kind IN
                ('model', 'dataset', 'environment', 'component', 'prompt', 'notebook', 'flow', 'connection')),
    name        text        NOT NULL CONSTRAINT asset_name CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    description text        NOT NULL DEFAULT '',
    tags        jsonb       NOT NULL DEFAULT '{}' CONSTRAINT asset_tags CHECK (jsonb_typeof(tags) = 'object'),
    state       text        NOT NULL DEFAULT 'active' CONSTRAINT asset_state CHECK (state IN ('active', 'deleted', 'purged')),
    versions    int         NOT NULL DEFAULT 0,
    revision    bigint      NOT NULL DEFAULT 1,
    created_by  uuid        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    deleted_at  timestamptz,
    CONSTRAINT asset_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT asset_by_name UNIQUE (tenant_id, project_id, kind, name),
    CONSTRAINT asset_project FOREIGN KEY (tenant_id, project_id) REFERENCES project,
    CONSTRAINT asset_creator FOREIGN KEY (tenant_id, created_by) REFERENCES principal
);
COMMENT ON TABLE asset IS 'A named thing of some kind in a project; what it holds is in its versions.';
COMMENT ON COLUMN asset.state IS 'Purged: versions, files and aliases are gone; the row stays so that numbers are never used again.';
COMMENT ON COLUMN asset.versions IS 'The highest version number given out; numbers are never used again.';
CALL tenant_table('asset', 'SELECT, INSERT, UPDATE, DELETE');

CREATE TABLE blob (
    tenant_id  uuid        NOT NULL CONSTRAINT blob_tenant REFERENCES tenant,
    sha256     bytea       NOT NULL CONSTRAINT blob_digest CHECK (length(sha256) = 32),
    size       bigint      NOT NULL CONSTRAINT blob_size CHECK (size >= 0),
    touched_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT blob_key PRIMARY KEY (tenant_id, sha256)
);
COMMENT ON TABLE blob IS 'Bytes in the store, named by what they are. A row is there only when the whole file is.';
COMMENT ON COLUMN blob.touched_at IS 'Collected when unreferenced and untouched for the grace period.';
CALL tenant_table('blob', 'SELECT, INSERT, UPDATE, DELETE');

CREATE TABLE version (
    tenant_id   uuid        NOT NULL,
    id          uuid        NOT NULL,
    asset_id    uuid        NOT NULL,
    number      int         NOT NULL CONSTRAINT version_number CHECK (number > 0),
    state       text        NOT NULL DEFAULT 'pending' CONSTRAINT version_state CHECK (state IN ('pending', 'ready', 'deleted')),
    description text        NOT NULL DEFAULT '',
    tags        jsonb       NOT NULL DEFAULT '{}' CONSTRAINT version_tags CHECK (jsonb_typeof(tags) = 'object'),
    digest      bytea       CONSTRAINT version_digest CHECK (length(digest) = 32),
    manifest    json,
    size        bigint      NOT NULL DEFAULT 0,
    job_id      uuid,
    revision    bigint      NOT NULL DEFAULT 1,
    created_by  uuid        NOT NULL,
    contributors uuid[]     NOT NULL DEFAULT '{}',
    created_at  timestamptz NOT NULL DEFAULT now(),
    ready_at    timestamptz,
    deleted_at  timestamptz,
    CONSTRAINT version_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT version_by_number UNIQUE (tenant_id, asset_id, number),
    CONSTRAINT version_asset FOREIGN KEY (tenant_id, asset_id) REFERENCES asset,
    CONSTRAINT version_creator FOREIGN KEY (tenant_id, created_by) REFERENCES principal,
    CONSTRAINT version_sealed CHECK (state = 'pending' OR (digest IS NOT NULL AND manifest IS NOT NULL))
);
COMMENT ON TABLE version IS 'Immutable once ready: digest is SHA-256 of the canonical manifest, which names every file by its SHA-256.';
COMMENT ON COLUMN version.manifest IS 'files [{path, sha256, size}], and what the kind adds: columns of a dataset; task, metrics, features of a model. json, not jsonb: 1e20 must stay a real number.';
COMMENT ON COLUMN version.contributors IS 'Who else put or removed files, or made it ready: they had a part in it as its author had.';
CALL tenant_table('version', 'SELECT, INSERT, UPDATE, DELETE');

CREATE FUNCTION version_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'pending' AND (NEW.digest, NEW.manifest::text, NEW.number, NEW.asset_id, NEW.created_by, NEW.job_id, NEW.size,
        NEW.contributors)
        IS DISTINCT FROM (OLD.digest, OLD.manifest::text, OLD.number, OLD.asset_id, OLD.created_by, OLD.job_id, OLD.size, OLD.contributors)
    THEN
        RAISE EXCEPTION 'a version is immutable once it is ready' USING ERRCODE = 'CH003';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER version_frozen BEFORE UPDATE ON version FOR EACH ROW EXECUTE FUNCTION version_frozen();

CREATE TABLE version_file (
    tenant_id  uuid   NOT NULL,
    version_id uuid   NOT NULL,
    path       text   NOT NULL CONSTRAINT version_file_path CHECK (octet_length(path) BETWEEN 1 AND 512),
    sha256     bytea  NOT NULL,
    size       bigint NOT NULL,
    CONSTRAINT version_file_key PRIMARY KEY (tenant_id, version_id, path),
    CONSTRAINT version_file_version FOREIGN KEY (tenant_id, version_id) REFERENCES version,
    CONSTRAINT version_file_blob FOREIGN KEY (tenant_id, sha256) REFERENCES blob
);
COMMENT ON TABLE version_file IS 'The files of a version. Its reference is what keeps a blob from being collected.';
CREATE INDEX version_file_by_blob ON version_file (tenant_id, sha256);
CALL tenant_table('version_file', 'SELECT, INSERT, UPDATE, DELETE');

CREATE TABLE upload (
    tenant_id  uuid        NOT NULL,
    id         uuid        NOT NULL,
    version_id uuid        NOT NULL,
    path       text        NOT NULL CONSTRAINT upload_path CHECK (octet_length(path) BETWEEN 1 AND 512),
    size       bigint      NOT NULL CONSTRAINT upload_size CHECK (size >= 0),
    received   bigint      NOT NULL DEFAULT 0 CONSTRAINT upload_received CHECK (received BETWEEN 0 AND size),
    sha256     bytea       CONSTRAINT upload_digest CHECK (length(sha256) = 32),
    created_by uuid        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL DEFAULT now() + interval '7 days',
    CONSTRAINT upload_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT upload_version FOREIGN KEY (tenant_id, version_id) REFERENCES version ON DELETE CASCADE,
    CONSTRAINT upload_creator FOREIGN KEY (tenant_id, created_by) REFERENCES principal
);
COMMENT ON TABLE upload IS 'A file on its way in pieces (resumable upload); sha256 is what the client announced.';
CALL tenant_table('upload', 'SELECT, INSERT, UPDATE, DELETE');

CREATE TABLE bundle_origin (
    tenant_id uuid        NOT NULL,
    name      text        NOT NULL CONSTRAINT bundle_origin_name CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    vkey      text        NOT NULL,
    added_by  uuid        NOT NULL,
    added_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT bundle_origin_key PRIMARY KEY (tenant_id, name),
    CONSTRAINT bundle_origin_once UNIQUE (tenant_id, vkey),
    CONSTRAINT bundle_origin_by FOREIGN KEY (tenant_id, added_by) REFERENCES principal
);
COMMENT ON TABLE bundle_origin IS 'Keys (C2SP vkeys) of other installations'' logs: what they seal may be imported.';
CALL tenant_table('bundle_origin', 'SELECT, INSERT, UPDATE, DELETE');

CREATE TABLE bundle (
    tenant_id   uuid        NOT NULL,
    project_id  uuid        NOT NULL,
    id          bytea       NOT NULL CONSTRAINT bundle_id CHECK (length(id) = 32),
    head        bytea       NOT NULL,
    imported_by uuid        NOT NULL,
    imported_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT bundle_key PRIMARY KEY (tenant_id, project_id, id),
    CONSTRAINT bundle_project FOREIGN KEY (tenant_id, project_id) REFERENCES project,
    CONSTRAINT bundle_by FOREIGN KEY (tenant_id, imported_by) REFERENCES principal
);
COMMENT ON TABLE bundle IS 'Append-only: heads of bundles that versions came from, as they came, so that their seals and proofs can be checked for ever. id is SHA-256 of the listing.';
CALL tenant_table('bundle', 'SELECT, INSERT');
CALL append_only('bundle');

CREATE TABLE version_origin (
    tenant_id   uuid        NOT NULL,
    version_id  uuid        NOT NULL,
    digest      bytea       NOT NULL CONSTRAINT version_origin_digest CHECK (length(digest) = 32),
    bundle      bytea       NOT NULL CONSTRAINT version_origin_bundle CHECK (length(bundle) = 32),
    origin      text        NOT NULL,
    signer      text        NOT NULL,
    node        text        NOT NULL,
    facts       json        NOT NULL,
    imported_by uuid        NOT NULL,
    imported_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT version_origin_key PRIMARY KEY (tenant_id, version_id),
    CONSTRAINT version_origin_version FOREIGN KEY (tenant_id, version_id) REFERENCES version ON DELETE CASCADE,
    CONSTRAINT version_origin_by FOREIGN KEY (tenant_id, imported_by) REFERENCES principal
);
COMMENT ON TABLE version_origin IS 'Where an imported version comes from, as its origin sealed it. Never changed; goes with its version. Means nothing unless digest is the version''s.';
COMMENT ON COLUMN version_origin.facts IS 'What the origin has on record: who made it, its approvals with their evidence. Approves nothing here.';
CALL tenant_table('version_origin', 'SELECT, INSERT');

CREATE TABLE alias (
    tenant_id  uuid        NOT NULL,
    asset_id   uuid        NOT NULL,
    name       text        NOT NULL CONSTRAINT alias_name CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    version_id uuid        NOT NULL,
    approval_id uuid,
    set_by     uuid        NOT NULL,
    set_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT alias_key PRIMARY KEY (tenant_id, asset_id, name),
    CONSTRAINT alias_asset FOREIGN KEY (tenant_id, asset_id) REFERENCES asset,
    CONSTRAINT alias_version FOREIGN KEY (tenant_id, version_id) REFERENCES version
);
COMMENT ON TABLE alias IS 'A movable name for a version. A protected one moves only by an approval.';
CALL tenant_table('alias', 'SELECT, INSERT, UPDATE, DELETE');

CREATE TABLE alias_history (
    tenant_id   uuid        NOT NULL,
    asset_id    uuid        NOT NULL,
    seq         bigint      GENERATED ALWAYS AS IDENTITY,
    name        text        NOT NULL,
    version_id  uuid,
    approval_id uuid,
    set_by      uuid        NOT NULL,
    set_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT alias_history_key PRIMARY KEY (tenant_id, asset_id, seq)
);
COMMENT ON TABLE alias_history IS 'Append-only: which version an alias meant, since when; NULL when it was taken away.';
CALL tenant_table('alias_history', 'SELECT, INSERT');
CALL append_only('alias_history');
