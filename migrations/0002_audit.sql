-- The audit log: entries written in the business transaction, then sequenced into one Merkle tree per tenant.
-- These tables have no foreign keys: every governed change writes here, the checks would lock the tenant's row and each
-- entry (a fifth of the throughput, measured), and nothing they would point to can be deleted.

CREATE TABLE audit_entry (
    tenant_id  uuid        NOT NULL,
    seq        bigint      GENERATED ALWAYS AS IDENTITY (CACHE 1),
    id         uuid        NOT NULL,
    at         timestamptz NOT NULL,
    actor      uuid,
    action     text        NOT NULL,
    project    text,
    object     text,
    outcome    text        NOT NULL,
    request_id uuid        NOT NULL,
    leaf       text        NOT NULL,
    leaf_hash  bytea       NOT NULL,
    CONSTRAINT audit_entry_key PRIMARY KEY (tenant_id, seq),
    CONSTRAINT audit_entry_by_id UNIQUE (tenant_id, id)
);
COMMENT ON TABLE audit_entry IS 'Append-only: what was done or refused. leaf is the truth; the other columns only find it.';
COMMENT ON COLUMN audit_entry.leaf IS 'At most 65,535 bytes, by audit_make. No CHECKs: they are parsed again at every insert, an eighth of what an entry costs.';
COMMENT ON COLUMN audit_entry.seq IS 'Order within a tenant''s batches; gaps mean nothing (rolled-back work).';
-- Entries come in the order of time, so ranges of pages are enough; a B-tree would cost each change its own place in it.
CREATE INDEX audit_entry_by_time ON audit_entry USING brin (at) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX audit_entry_by_actor ON audit_entry (tenant_id, actor, seq);
CREATE INDEX audit_entry_by_object ON audit_entry (tenant_id, object, seq);
CREATE INDEX audit_entry_by_request ON audit_entry (tenant_id, request_id);
CALL tenant_table('audit_entry', 'SELECT, INSERT');
CALL append_only('audit_entry');

-- Keys of what entries say. Nothing here opens without the installation's key, which the database never has.
CREATE TABLE audit_root (
    tenant_id  uuid        NOT NULL CONSTRAINT audit_root_tenant REFERENCES tenant,
    number     bigint      NOT NULL,
    kek        text        NOT NULL,
    wrapped    bytea       NOT NULL CONSTRAINT audit_root_wrapped CHECK (length(wrapped) = 60),
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT audit_root_key PRIMARY KEY (tenant_id, number)
);
COMMENT ON TABLE audit_root IS 'Append-only: a tenant''s audit key, wrapped under one key of the installation after the other. It wraps the keys of audit_subject_key.';
COMMENT ON COLUMN audit_root.kek IS 'Names the key it is wrapped under.';
CALL tenant_table('audit_root', 'SELECT, INSERT');
CALL append_only('audit_root');

CREATE TABLE audit_subject_key (
    tenant_id    uuid        NOT NULL,
    id           uuid        NOT NULL,
    subject      text        NOT NULL CONSTRAINT audit_subject_key_subject CHECK (length(subject) BETWEEN 1 AND 100),
    wrapped      bytea       CONSTRAINT audit_subject_key_wrapped CHECK (length(wrapped) = 60),
    created_at   timestamptz NOT NULL DEFAULT now(),
    destroyed_at timestamptz,
    CONSTRAINT audit_subject_key_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT audit_subject_key_destroyed CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 0);
COMMENT ON TABLE audit_subject_key IS 'The keys that payloads are sealed under, one a subject at a time, wrapped under audit_root. Without its bytes nothing sealed under it ever opens again.';
COMMENT ON COLUMN audit_subject_key.subject IS 'A principal''s id, service-accounts/NAME, day/YYYY-MM-DD for what nobody did, or search for the words.';
CREATE UNIQUE INDEX audit_subject_key_live ON audit_subject_key (tenant_id, subject) WHERE wrapped IS NOT NULL;
CALL tenant_table('audit_subject_key', 'SELECT, INSERT');
CALL append_only('audit_subject_key');

CREATE FUNCTION audit_key_gone(id uuid) RETURNS uuid LANGUAGE plpgsql SET search_path = chancery, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'audit key % was destroyed meanwhile', id USING ERRCODE = 'serialization_failure';
END $$;
COMMENT ON FUNCTION audit_key_gone IS 'Refuses an entry under a key that is no more; the transaction runs again, with another.';

CREATE TABLE audit_payload (
    tenant_id uuid  NOT NULL,
    id        uuid  NOT NULL,
    key_id    uuid  NOT NULL,
    about_id  uuid,
    sealed    bytea,
    CONSTRAINT audit_payload_key PRIMARY KEY (tenant_id, id)
);
ALTER TABLE audit_payload ALTER COLUMN sealed SET STORAGE EXTERNAL; -- what is sealed does not compress
COMMENT ON TABLE audit_payload IS 'The words behind an entry (names, addresses, bodies) and their salt, sealed. The leaf holds HMAC-SHA256(salt, payload): erasing both leaves the log whole.';
COMMENT ON COLUMN audit_payload.key_id IS 'Of audit_subject_key: the actor''s; about_id: of whom the entry is about, if another. It opens with both only.';
COMMENT ON COLUMN audit_payload.sealed IS 'AES-256-GCM of salt and payload, bound to tenant, entry and leaf; NULL when erased.';
CALL tenant_table('audit_payload', 'SELECT, INSERT');
CALL append_only('audit_payload');

CREATE TABLE audit_pending (
    tenant_id uuid   NOT NULL,
    seq       bigint NOT NULL,
    leaf_hash bytea  NOT NULL,
    CONSTRAINT audit_pending_key PRIMARY KEY (tenant_id, seq)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
COMMENT ON TABLE audit_pending IS 'Entries that are not in the tree yet: claimed by state, never by cursor. All that placing them needs is here.';
CALL tenant_table('audit_pending', 'SELECT, INSERT, DELETE', true);

CREATE TABLE audit_log (
    tenant_id   uuid        NOT NULL CONSTRAINT audit_log_key PRIMARY KEY REFERENCES tenant,
    origin      text        NOT NULL,
    public      bytea       NOT NULL CONSTRAINT audit_log_public CHECK (length(public) = 32),
    sealed      bytea       NOT NULL,
    size        bigint      NOT NULL DEFAULT 0,
    root        bytea       NOT NULL CONSTRAINT audit_log_root CHECK (length(root) = 32),
    checkpoint  text,
    signed_size bigint      NOT NULL DEFAULT 0 CONSTRAINT audit_log_signed CHECK (signed_size BETWEEN 0 AND size),
    signed_at   timestamptz,
    created_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE audit_log IS 'The head of a tenant''s tree, its Ed25519 key (sealed) and its newest signed checkpoint.';
COMMENT ON COLUMN audit_log.signed_size IS 'Leaves under checkpoint; the tree may already hold more.';
CALL tenant_table('audit_log', 'SELECT, INSERT, UPDATE', true);

CREATE TABLE audit_leaf (
    tenant_id uuid   NOT NULL,
    index     bigint NOT NULL,
    seq       bigint NOT NULL,
    tile      bigint GENERATED ALWAYS AS (index / 256) STORED,
    CONSTRAINT audit_leaf_key PRIMARY KEY (tenant_id, index),
    CONSTRAINT audit_leaf_once UNIQUE (tenant_id, seq)
);
COMMENT ON TABLE audit_leaf IS 'Append-only: the place of each entry in the tree.';
COMMENT ON COLUMN audit_leaf.tile IS 'audit_tile.n at level 0. A column, because row level security keeps divisions out of index conditions.';
CALL tenant_table('audit_leaf', 'SELECT, INSERT');
CALL append_only('audit_leaf');

CREATE TABLE audit_tile (
    tenant_id uuid   NOT NULL,
    level     int    NOT NULL CONSTRAINT audit_tile_level CHECK (level BETWEEN 0 AND 7),
    n         bigint NOT NULL,
    hashes    bytea  NOT NULL CONSTRAINT audit_tile_hashes CHECK (length(hashes) BETWEEN 32 AND 8192 AND length(hashes) % 32 = 0),
    CONSTRAINT audit_tile_key PRIMARY KEY (tenant_id, level, n)
) WITH (autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE audit_tile ALTER COLUMN hashes SET STORAGE EXTERNAL; -- hashes do not compress, and slices of them are read
COMMENT ON TABLE audit_tile IS 'Hashes of the tree in C2SP tlog-tiles shape; the rightmost tile of a level grows until it holds 256.';
CALL tenant_table('audit_tile', 'SELECT, INSERT, UPDATE');

CREATE TABLE audit_checkpoint (
    tenant_id uuid        NOT NULL,
    size      bigint      NOT NULL,
    root      bytea       NOT NULL,
    note      text        NOT NULL,
    at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT audit_checkpoint_key PRIMARY KEY (tenant_id, size, at)
);
COMMENT ON TABLE audit_checkpoint IS 'Append-only: every tree head that was ever signed.';
CALL tenant_table('audit_checkpoint', 'SELECT, INSERT');
CALL append_only('audit_checkpoint');

CREATE FUNCTION audit_work() RETURNS TABLE (tenant_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = chancery, pg_temp AS $$
    WITH RECURSIVE waiting (id) AS (
        (SELECT p.tenant_id FROM audit_pending p ORDER BY p.tenant_id LIMIT 1)
        UNION ALL
        SELECT (SELECT p.tenant_id FROM audit_pending p WHERE p.tenant_id > w.id ORDER BY p.tenant_id LIMIT 1)
          FROM waiting w WHERE w.id IS NOT NULL)
    SELECT w.id FROM waiting w WHERE w.id IS NOT NULL
    UNION
    SELECT l.tenant_id FROM audit_log l
     WHERE l.size > l.signed_size OR l.signed_at IS NULL OR l.signed_at < now() - interval '1 hour' $$;
COMMENT ON FUNCTION audit_work IS 'definer: the sequencer asks which tenants have entries to place or a checkpoint to sign.';
