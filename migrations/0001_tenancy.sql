-- Tenants, the rules every tenant table obeys, principals, tokens, bindings, projects and signing keys.

CREATE FUNCTION current_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT nullif(current_setting('app.tenant', true), '')::uuid $$;
COMMENT ON FUNCTION current_tenant IS 'The tenant of the running transaction, or NULL, which shows no row at all.';

-- A tenant table shows and takes only rows of the running transaction's tenant, from its owner too. The owner's own
-- policy serves the definer functions, which the service may call but whose role it can never assume.
CREATE PROCEDURE tenant_table(name regclass, privileges text, definer boolean DEFAULT false) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY tenant_isolation ON %s USING (tenant_id = (SELECT current_tenant()))'
                   ' WITH CHECK (tenant_id = (SELECT current_tenant()))', name);
    IF definer THEN
        EXECUTE format('CREATE POLICY definer ON %s TO chancery_owner USING (true) WITH CHECK (true)', name);
    END IF;
    EXECUTE format('GRANT %s ON %s TO chancery_app', privileges, name);
END $$;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'CH003';
END $$;

CREATE PROCEDURE append_only(name regclass) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %s'
                   ' FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', name);
END $$;

CREATE TABLE tenant (
    tenant_id  uuid        NOT NULL CONSTRAINT tenant_key PRIMARY KEY,
    name       text        NOT NULL CONSTRAINT tenant_name CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    state      text        NOT NULL DEFAULT 'active' CONSTRAINT tenant_state CHECK (state IN ('active', 'suspended')),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE tenant IS 'One customer of the installation; no row of another is ever visible to it.';
CREATE UNIQUE INDEX tenant_by_name ON tenant (name);
COMMENT ON INDEX tenant_by_name IS 'global: names of tenants are unique; only definer functions can probe them.';
CALL tenant_table('tenant', 'SELECT', true);

CREATE FUNCTION tenant_find(wanted text) RETURNS TABLE (id uuid, name text, state text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = chancery, pg_temp
    AS $$ SELECT tenant_id, tenant.name, tenant.state FROM tenant WHERE tenant.name = wanted $$;
COMMENT ON FUNCTION tenant_find IS 'definer: sign-in knows the tenant by name only.';

CREATE FUNCTION tenant_all() RETURNS TABLE (id uuid, name text, state text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = chancery, pg_temp
    AS $$ SELECT tenant_id, tenant.name, tenant.state FROM tenant ORDER BY tenant.name $$;
COMMENT ON FUNCTION tenant_all IS 'definer: platform operators see the names of tenants; background work visits each.';

-- Who can act.

CREATE TABLE principal (
    tenant_id     uuid        NOT NULL CONSTRAINT principal_tenant REFERENCES tenant,
    id            uuid        NOT NULL,
    kind          text        NOT NULL CONSTRAINT principal_kind CHECK (kind IN ('user', 'service')),
    name          text        NOT NULL CONSTRAINT principal_name CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    display_name  text,
    email         text,
    state         text        NOT NULL DEFAULT 'active' CONSTRAINT principal_state CHECK (state IN ('active', 'disabled')),
    owner_id      uuid,
    password_hash text,
    created_by    uuid,
    created_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT principal_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT principal_by_name UNIQUE (tenant_id, name),
    CONSTRAINT principal_owner FOREIGN KEY (tenant_id, owner_id) REFERENCES principal,
    CONSTRAINT principal_owned CHECK ((kind = 'service') = (owner_id IS NOT NULL)),
    CONSTRAINT principal_password CHECK (kind = 'user' OR password_hash IS NULL)
);
COMMENT ON TABLE principal IS 'A user, or a service account with the user who answers for it. Never deleted: history names it.';
COMMENT ON COLUMN principal.password_hash IS 'argon2id in PHC form; NULL when the user signs in elsewhere or not yet.';
CALL tenant_table('principal', 'SELECT, INSERT, UPDATE');

CREATE TABLE access_token (
    tenant_id    uuid        NOT NULL,
    id           uuid        NOT NULL,
    principal_id uuid        NOT NULL,
    name         text        NOT NULL CONSTRAINT access_token_name CHECK (length(name) BETWEEN 1 AND 100),
    hash         bytea       NOT NULL CONSTRAINT access_token_hash CHECK (length(hash) = 32),
    expires_at   timestamptz NOT NULL,
    revoked_at   timestamptz,
    last_used_at timestamptz,
    created_by   uuid        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT access_token_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT access_token_principal FOREIGN KEY (tenant_id, principal_id) REFERENCES principal
);
COMMENT ON TABLE access_token IS 'Personal access tokens and client secrets: 256 random bits, so their plain SHA-256 is kept.';
CREATE INDEX access_token_by_principal ON access_token (tenant_id, principal_id);
CREATE INDEX access_token_by_id ON access_token (id);
CALL tenant_table('access_token', 'SELECT, INSERT, UPDATE', true);

CREATE FUNCTION access_token_find(wanted uuid) RETURNS TABLE (tenant_id uuid, hash bytea)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = chancery, pg_temp
    AS $$ SELECT t.tenant_id, t.hash FROM access_token t WHERE t.id = wanted $$;
COMMENT ON FUNCTION access_token_find IS 'definer: a bearer of a personal access token does not say its tenant.';

CREATE TABLE signing_key (
    kid        text        NOT NULL CONSTRAINT signing_key_key PRIMARY KEY,
    public     bytea       NOT NULL,
    sealed     bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    signs_until timestamptz NOT NULL,
    retired_at timestamptz NOT NULL
);
COMMENT ON TABLE signing_key IS 'global: the issuer''s ES256 keys; the private half is sealed by the installation''s key file.';
COMMENT ON COLUMN signing_key.public IS 'SubjectPublicKeyInfo, DER.';
GRANT SELECT, INSERT, DELETE ON signing_key TO chancery_app;

CREATE TABLE bootstrap_code (
    hash       bytea       NOT NULL CONSTRAINT bootstrap_code_key PRIMARY KEY CHECK (length(hash) = 32),
    tenant     text,
    platform   boolean     NOT NULL DEFAULT false,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
COMMENT ON TABLE bootstrap_code IS 'global: one-time codes that make a tenant and its first admin; readable by definer functions only.';
COMMENT ON COLUMN bootstrap_code.platform IS 'The first admin of the installation may also make further tenants.';
GRANT INSERT ON bootstrap_code TO chancery_app;

CREATE FUNCTION bootstrap_use(code bytea, new_tenant uuid, new_name text) RETURNS TABLE (platform boolean)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = chancery, pg_temp AS $$
BEGIN
    RETURN QUERY UPDATE bootstrap_code b SET used_at = now()
        WHERE b.hash = code AND b.used_at IS NULL AND b.expires_at > now() AND coalesce(b.tenant, new_name) = new_name
        RETURNING b.platform;
    IF FOUND THEN
        INSERT INTO tenant (tenant_id, name) VALUES (new_tenant, new_name);
        INSERT INTO authz_epoch (tenant_id, epoch) VALUES (new_tenant, 1);
    END IF;
END $$;
COMMENT ON FUNCTION bootstrap_use IS 'definer: spends a one-time code and makes its tenant; no row when the code is not good.';

-- What they may.

CREATE TABLE authz_epoch (
    tenant_id uuid   NOT NULL CONSTRAINT authz_epoch_key PRIMARY KEY REFERENCES tenant,
    epoch     bigint NOT NULL,
    moved     xid8   NOT NULL DEFAULT pg_current_xact_id()
);
COMMENT ON TABLE authz_epoch IS 'Counts the changes to who may do what; its row lock makes commit order and epoch order the same.';
COMMENT ON COLUMN authz_epoch.moved IS 'The transaction that moved it last: whether a replica has seen it is asked of a snapshot.';
CALL tenant_table('authz_epoch', 'SELECT, UPDATE', true);

-- INFO reaches the client whatever client_min_messages says: so the connection learns that its transaction has moved
-- an epoch, and the service knows which replies must wait until every replica has seen it.
CREATE FUNCTION authz_move(of_tenant uuid) RETURNS void LANGUAGE plpgsql SET search_path = chancery, pg_temp AS $$
BEGIN
    UPDATE authz_epoch SET epoch = epoch + 1, moved = pg_current_xact_id() WHERE tenant_id = of_tenant;
    PERFORM pg_notify('authz', of_tenant::text);
    RAISE INFO USING ERRCODE = 'CH100', MESSAGE = pg_current_xact_id()::text;
END $$;
COMMENT ON FUNCTION authz_move IS 'Moves the epoch and tells all replicas, and the connection that does it.';

CREATE FUNCTION authz_changed() RETURNS trigger LANGUAGE plpgsql SET search_path = chancery, pg_temp AS $$
BEGIN
    PERFORM authz_move(current_tenant());
    RETURN NULL;
END $$;
COMMENT ON FUNCTION authz_changed IS 'Every policy change moves the epoch and tells all replicas; nobody can forget to.';

CREATE TABLE project (
    tenant_id   uuid        NOT NULL CONSTRAINT project_tenant REFERENCES tenant,
    id          uuid        NOT NULL,
    name        text        NOT NULL CONSTRAINT project_name CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    description text        NOT NULL DEFAULT '',
    policy      jsonb       NOT NULL,
    state       text        NOT NULL DEFAULT 'active' CONSTRAINT project_state CHECK (state IN ('active', 'deleted')),
    revision    bigint      NOT NULL DEFAULT 1,
    created_by  uuid        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT project_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT project_by_name UNIQUE (tenant_id, name),
    CONSTRAINT project_creator FOREIGN KEY (tenant_id, created_by) REFERENCES principal
);
COMMENT ON TABLE project IS 'The unit of work and of permission below the tenant.';
COMMENT ON COLUMN project.policy IS 'What needs approval here, by how many, for how long.';
CALL tenant_table('project', 'SELECT, INSERT, UPDATE');

CREATE TABLE binding (
    tenant_id    uuid        NOT NULL,
    id           uuid        NOT NULL,
    principal_id uuid        NOT NULL,
    role         text        NOT NULL,
    scope        text        NOT NULL CONSTRAINT binding_scope CHECK (scope IN ('platform', 'tenant', 'project')),
    project_id   uuid,
    valid_from   timestamptz NOT NULL DEFAULT now(),
    valid_until  timestamptz,
    created_by   uuid        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT binding_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT binding_principal FOREIGN KEY (tenant_id, principal_id) REFERENCES principal,
    CONSTRAINT binding_project FOREIGN KEY (tenant_id, project_id) REFERENCES project,
    CONSTRAINT binding_place CHECK ((scope = 'project') = (project_id IS NOT NULL)),
    CONSTRAINT binding_time CHECK (valid_until IS NULL OR valid_until > valid_from)
);
COMMENT ON TABLE binding IS 'A principal has a role at a scope, for a time. Deleting it revokes at once.';
CREATE UNIQUE INDEX binding_once ON binding (tenant_id, principal_id, role, scope, coalesce(project_id, tenant_id));
CALL tenant_table('binding', 'SELECT, INSERT, DELETE');

CREATE TRIGGER authz_changed AFTER INSERT OR UPDATE OR DELETE ON binding
    FOR EACH STATEMENT EXECUTE FUNCTION authz_changed();
CREATE TRIGGER authz_changed AFTER INSERT OR UPDATE OF state, owner_id ON principal
    FOR EACH STATEMENT EXECUTE FUNCTION authz_changed();
CREATE TRIGGER authz_changed AFTER INSERT OR UPDATE OF name, state ON project
    FOR EACH STATEMENT EXECUTE FUNCTION authz_changed();
CREATE TRIGGER authz_changed AFTER UPDATE OF revoked_at ON access_token
    FOR EACH STATEMENT EXECUTE FUNCTION authz_changed();
