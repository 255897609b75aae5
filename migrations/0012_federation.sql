-- External identity providers, workload federation, SCIM provisioning, and secrets under envelope encryption.

-- Envelope encryption: the installation's key wraps one key a tenant, which wraps one key a value.

CREATE TABLE wrapping_key (
    tenant_id  uuid        NOT NULL CONSTRAINT wrapping_key_tenant REFERENCES tenant,
    number     bigint      NOT NULL,
    kek        text        NOT NULL,
    wrapped    bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz,
    CONSTRAINT wrapping_key_key PRIMARY KEY (tenant_id, number),
    CONSTRAINT wrapping_key_retired CHECK ((wrapped IS NULL) = (retired_at IS NOT NULL))
);
COMMENT ON TABLE wrapping_key IS 'A tenant''s keys, wrapped; the newest is in use. Without its bytes nothing sealed under it ever opens again.';
COMMENT ON COLUMN wrapping_key.kek IS 'Names the key it is wrapped under.';
CALL tenant_table('wrapping_key', 'SELECT, INSERT, UPDATE');

CREATE TABLE sealed_value (
    tenant_id  uuid        NOT NULL,
    id         uuid        NOT NULL,
    version    bigint      NOT NULL,
    purpose    text        NOT NULL,
    key_number bigint      NOT NULL,
    wrapped    bytea       NOT NULL,
    sealed     bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT sealed_value_key PRIMARY KEY (tenant_id, id, version),
    CONSTRAINT sealed_value_tenant_key FOREIGN KEY (tenant_id, key_number) REFERENCES wrapping_key
);
COMMENT ON TABLE sealed_value IS 'AES-256-GCM; bound to tenant, id, version and purpose, so that a row put elsewhere does not open.';
CREATE INDEX sealed_value_by_key ON sealed_value (tenant_id, key_number);
CALL tenant_table('sealed_value', 'SELECT, INSERT, UPDATE, DELETE');

CREATE TABLE secret (
    tenant_id  uuid        NOT NULL,
    id         uuid        NOT NULL,
    project_id uuid        NOT NULL,
    name       text        NOT NULL CONSTRAINT secret_name CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    versions   bigint      NOT NULL DEFAULT 1,
    created_by uuid        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_by uuid        NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT secret_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT secret_by_name UNIQUE (tenant_id, project_id, name),
    CONSTRAINT secret_project FOREIGN KEY (tenant_id, project_id) REFERENCES project
);
COMMENT ON TABLE secret IS 'What is known of a secret; its values are in sealed_value and never leave through the interface.';
CALL tenant_table('secret', 'SELECT, INSERT, UPDATE, DELETE');

-- External OpenID Connect providers.

CREATE TABLE identity_provider (
    tenant_id     uuid        NOT NULL CONSTRAINT identity_provider_tenant REFERENCES tenant,
    id            uuid        NOT NULL,
    name          text        NOT NULL CONSTRAINT identity_provider_name CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    issuer        text        NOT NULL CONSTRAINT identity_provider_issuer CHECK (issuer ~ '^https://'),
    client_id     text        NOT NULL,
    algs          text[]      NOT NULL CONSTRAINT identity_provider_algs CHECK (cardinality(algs) > 0),
    scopes        text        NOT NULL DEFAULT 'openid profile email',
    acr_values    text        CONSTRAINT identity_provider_acr_values CHECK (length(acr_values) BETWEEN 1 AND 500),
    provisioning  text        NOT NULL CONSTRAINT identity_provider_provisioning CHECK (provisioning IN ('jit', 'provisioned')),
    subject_claim text        NOT NULL DEFAULT 'sub',
    group_claim   text,
    group_map     jsonb       NOT NULL DEFAULT '{}',
    created_by    uuid        NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT identity_provider_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT identity_provider_by_name UNIQUE (tenant_id, name)
);
COMMENT ON TABLE identity_provider IS 'Where a tenant''s people may sign in; the client secret is a sealed_value of the same id.';
COMMENT ON COLUMN identity_provider.acr_values IS 'How its people must be signed in there: the acr of its ID tokens is one of these words. NULL: any will do.';
COMMENT ON COLUMN identity_provider.group_map IS 'Value of the group claim to the name of a group here; other values give nothing.';
COMMENT ON COLUMN identity_provider.subject_claim IS 'With provisioning "provisioned": the claim that must equal a SCIM user''s externalId at the first sign-in.';
CALL tenant_table('identity_provider', 'SELECT, INSERT, DELETE');

CREATE TABLE federated_identity (
    tenant_id    uuid        NOT NULL,
    provider_id  uuid        NOT NULL,
    issuer       text        NOT NULL,
    subject      text        NOT NULL CONSTRAINT federated_identity_subject CHECK (length(subject) BETWEEN 1 AND 255),
    principal_id uuid        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT federated_identity_key PRIMARY KEY (tenant_id, provider_id, issuer, subject),
    CONSTRAINT federated_identity_provider FOREIGN KEY (tenant_id, provider_id) REFERENCES identity_provider ON DELETE CASCADE,
    CONSTRAINT federated_identity_principal FOREIGN KEY (tenant_id, principal_id) REFERENCES principal
);
COMMENT ON TABLE federated_identity IS 'Who someone is at a provider, by its issuer and subject; never by e-mail address.';
CREATE UNIQUE INDEX federated_identity_by_principal ON federated_identity (tenant_id, provider_id, principal_id);
CALL tenant_table('federated_identity', 'SELECT, INSERT, UPDATE');

ALTER TABLE login_session
    ADD COLUMN provider_id  uuid,
    ADD COLUMN provider_sid text CONSTRAINT login_session_provider_sid CHECK (length(provider_sid) <= 255),
    ADD CONSTRAINT login_session_provider FOREIGN KEY (tenant_id, provider_id) REFERENCES identity_provider
        ON DELETE SET NULL (provider_id);
COMMENT ON COLUMN login_session.provider_id IS 'Where its person was signed in; NULL for here.';
COMMENT ON COLUMN login_session.provider_sid IS 'The provider''s own name of its session (sid), by which it may end this one.';
CREATE INDEX login_session_by_provider ON login_session (tenant_id, provider_id);

CREATE TABLE logout_token (
    tenant_id   uuid        NOT NULL,
    provider_id uuid        NOT NULL,
    jti         bytea       NOT NULL CONSTRAINT logout_token_jti CHECK (length(jti) = 32),
    expires_at  timestamptz NOT NULL,
    CONSTRAINT logout_token_key PRIMARY KEY (tenant_id, provider_id, jti),
    CONSTRAINT logout_token_provider FOREIGN KEY (tenant_id, provider_id) REFERENCES identity_provider ON DELETE CASCADE
);
COMMENT ON TABLE logout_token IS 'SHA-256 of the jti of every logout token taken: each is good once (OpenID Connect Back-Channel Logout §2.6).';
CALL tenant_table('logout_token', 'SELECT, INSERT, DELETE');

-- Workloads that show a token of their own platform.

CREATE TABLE workload_trust (
    tenant_id    uuid        NOT NULL,
    id           uuid        NOT NULL,
    name         text        NOT NULL CONSTRAINT workload_trust_name CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    issuer       text        NOT NULL CONSTRAINT workload_trust_issuer CHECK (issuer ~ '^https://'),
    audience     text        NOT NULL,
    subject      text        NOT NULL CONSTRAINT workload_trust_subject CHECK (subject !~ '[*?]'),
    claims       jsonb       NOT NULL DEFAULT '{}',
    principal_id uuid        NOT NULL,
    created_by   uuid        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT workload_trust_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT workload_trust_by_name UNIQUE (tenant_id, name),
    CONSTRAINT workload_trust_once UNIQUE (tenant_id, principal_id, issuer, subject),
    CONSTRAINT workload_trust_principal FOREIGN KEY (tenant_id, principal_id) REFERENCES principal
);
COMMENT ON TABLE workload_trust IS 'This subject of this issuer, exactly, acts as this service account.';
CALL tenant_table('workload_trust', 'SELECT, INSERT, DELETE');

-- SCIM 2.0.

CREATE TABLE scim_user (
    tenant_id    uuid        NOT NULL,
    principal_id uuid        NOT NULL,
    user_name    text        NOT NULL CONSTRAINT scim_user_name CHECK (length(user_name) BETWEEN 1 AND 255),
    external_id  text,
    doc          jsonb       NOT NULL,
    version      bigint      NOT NULL DEFAULT 1,
    deleted      boolean     NOT NULL DEFAULT false,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT scim_user_key PRIMARY KEY (tenant_id, principal_id),
    CONSTRAINT scim_user_principal FOREIGN KEY (tenant_id, principal_id) REFERENCES principal
);
COMMENT ON TABLE scim_user IS 'Users that a directory keeps. Others are none of its business.';
COMMENT ON COLUMN scim_user.deleted IS 'Gone for the directory; the principal stays, disabled, since history names it.';
CREATE UNIQUE INDEX scim_user_by_name ON scim_user (tenant_id, lower(user_name)) WHERE NOT deleted;
CREATE UNIQUE INDEX scim_user_by_external ON scim_user (tenant_id, external_id) WHERE NOT deleted;
CALL tenant_table('scim_user', 'SELECT, INSERT, UPDATE');

CREATE TABLE scim_group (
    tenant_id  uuid        NOT NULL,
    group_id   uuid        NOT NULL,
    version    bigint      NOT NULL DEFAULT 1,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT scim_group_key PRIMARY KEY (tenant_id, group_id),
    CONSTRAINT scim_group_group FOREIGN KEY (tenant_id, group_id) REFERENCES principal_group ON DELETE CASCADE
);
COMMENT ON TABLE scim_group IS 'Groups that a directory keeps, and how often each has changed.';
CALL tenant_table('scim_group', 'SELECT, INSERT, UPDATE');

-- Whoever leaves: no token works, nothing is signed in, nothing runs.
CREATE FUNCTION principal_ends(leaver uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE principal SET state = 'disabled', tokens_since = now()
        WHERE tenant_id = current_tenant() AND id = leaver;
    UPDATE access_token SET revoked_at = now() WHERE tenant_id = current_tenant() AND revoked_at IS NULL
        AND principal_id IN (SELECT id FROM principal WHERE tenant_id = current_tenant() AND (id = leaver OR owner_id = leaver));
    UPDATE login_session SET ended_at = now(), ended_why = 'its user was disabled' WHERE tenant_id = current_tenant() AND ended_at IS NULL
        AND principal_id IN (SELECT id FROM principal WHERE tenant_id = current_tenant() AND (id = leaver OR owner_id = leaver));
    UPDATE job SET cancel = true, state = CASE WHEN state = 'running' THEN state ELSE 'cancelled' END,
        finished_at = CASE WHEN state = 'running' THEN finished_at ELSE now() END
        WHERE tenant_id = current_tenant() AND state IN ('waiting', 'queued', 'running')
          AND requested_by IN (SELECT id FROM principal WHERE tenant_id = current_tenant() AND (id = leaver OR owner_id = leaver));
END $$;
COMMENT ON FUNCTION principal_ends IS 'Disables a user; ends its tokens, sessions with their refresh families, and jobs, and those of its service accounts.';
