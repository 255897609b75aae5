-- The issuer: clients, sessions, authorization codes, refresh tokens, device codes, consents, second factors.

CREATE TABLE oauth_client (
    tenant_id     uuid        NOT NULL CONSTRAINT oauth_client_tenant REFERENCES tenant,
    id            uuid        NOT NULL,
    name          text        NOT NULL CONSTRAINT oauth_client_name CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    display_name  text        NOT NULL DEFAULT '',
    kind          text        NOT NULL CONSTRAINT oauth_client_kind CHECK (kind IN ('public', 'confidential')),
    redirect_uris text[]      NOT NULL DEFAULT '{}',
    logout_uris   text[]      NOT NULL DEFAULT '{}',
    grants        text[]      NOT NULL DEFAULT '{}',
    account_id    uuid,
    jwks          jsonb,
    third_party   boolean     NOT NULL DEFAULT false,
    created_by    uuid,
    created_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT oauth_client_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT oauth_client_by_name UNIQUE (tenant_id, name),
    CONSTRAINT oauth_client_account FOREIGN KEY (tenant_id, account_id) REFERENCES principal,
    CONSTRAINT oauth_client_shows_itself CHECK ((kind = 'confidential') = (account_id IS NOT NULL))
);
COMMENT ON TABLE oauth_client IS 'A program that asks for tokens. A confidential one is a service account, whose access tokens are its secrets.';
COMMENT ON COLUMN oauth_client.jwks IS 'Public keys for private_key_jwt; NULL when it shows itself with a secret.';
COMMENT ON COLUMN oauth_client.third_party IS 'Users are asked before it gets a token in their name.';
CALL tenant_table('oauth_client', 'SELECT, INSERT, UPDATE, DELETE', true);

CREATE FUNCTION oauth_client_first() RETURNS trigger LANGUAGE plpgsql
    SET search_path = chancery, pg_temp AS $$
BEGIN
    INSERT INTO oauth_client (tenant_id, id, name, display_name, kind, grants)
        VALUES (NEW.tenant_id, gen_random_uuid(), 'chancery-cli', 'the command line chancery', 'public',
                '{urn:ietf:params:oauth:grant-type:device_code,refresh_token}');
    RETURN NULL;
END $$;
COMMENT ON FUNCTION oauth_client_first IS 'The command line signs in with a device code in every tenant.';
CREATE TRIGGER oauth_client_first AFTER INSERT ON tenant FOR EACH ROW EXECUTE FUNCTION oauth_client_first();
INSERT INTO oauth_client (tenant_id, id, name, display_name, kind, grants)
    SELECT tenant_id, gen_random_uuid(), 'chancery-cli', 'the command line chancery', 'public',
           '{urn:ietf:params:oauth:grant-type:device_code,refresh_token}' FROM tenant;

CREATE TABLE client_assertion (
    tenant_id  uuid        NOT NULL,
    client_id  uuid        NOT NULL,
    jti        bytea       NOT NULL CONSTRAINT client_assertion_jti CHECK (length(jti) = 32),
    expires_at timestamptz NOT NULL,
    CONSTRAINT client_assertion_key PRIMARY KEY (tenant_id, client_id, jti),
    CONSTRAINT client_assertion_client FOREIGN KEY (tenant_id, client_id) REFERENCES oauth_client ON DELETE CASCADE
);
COMMENT ON TABLE client_assertion IS 'SHA-256 of the jti of every assertion taken: each is good once (RFC 7523 §3).';
CALL tenant_table('client_assertion', 'SELECT, INSERT, DELETE');

CREATE TABLE login_session (
    tenant_id    uuid        NOT NULL,
    id           uuid        NOT NULL,
    principal_id uuid        NOT NULL,
    kind         text        NOT NULL CONSTRAINT login_session_kind CHECK (kind IN ('password', 'federated', 'browser', 'client')),
    parent_id    uuid,
    client_id    uuid,
    scope        text        NOT NULL DEFAULT '',
    hash         bytea       CONSTRAINT login_session_hash CHECK (length(hash) = 32),
    auth_at      timestamptz NOT NULL DEFAULT now(),
    mfa_at       timestamptz,
    amr          text        NOT NULL DEFAULT 'pwd',
    remote       text        NOT NULL,
    agent        text        NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    ended_at     timestamptz,
    ended_why    text,
    CONSTRAINT login_session_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT login_session_principal FOREIGN KEY (tenant_id, principal_id) REFERENCES principal,
    CONSTRAINT login_session_parent FOREIGN KEY (tenant_id, parent_id) REFERENCES login_session ON DELETE CASCADE,
    CONSTRAINT login_session_client FOREIGN KEY (tenant_id, client_id) REFERENCES oauth_client ON DELETE CASCADE,
    CONSTRAINT login_session_browser CHECK ((kind = 'browser') = (hash IS NOT NULL)),
    CONSTRAINT login_session_of_client CHECK ((kind = 'client') = (client_id IS NOT NULL))
);
COMMENT ON TABLE login_session IS 'Somebody has signed in: by password, elsewhere, in a browser, or to a client, whose refresh tokens are its family.';
COMMENT ON COLUMN login_session.hash IS 'SHA-256 of the browser''s cookie.';
CREATE INDEX login_session_by_principal ON login_session (tenant_id, principal_id);
CREATE INDEX login_session_by_parent ON login_session (tenant_id, parent_id);
CREATE INDEX login_session_by_client ON login_session (tenant_id, client_id);
CALL tenant_table('login_session', 'SELECT, INSERT, UPDATE, DELETE');
CREATE TRIGGER authz_changed AFTER UPDATE OF ended_at ON login_session
    FOR EACH STATEMENT EXECUTE FUNCTION authz_changed();

CREATE TABLE authorization_code (
    tenant_id    uuid        NOT NULL,
    id           uuid        NOT NULL,
    hash         bytea       NOT NULL CONSTRAINT authorization_code_hash CHECK (length(hash) = 32),
    client_id    uuid        NOT NULL,
    parent_id    uuid        NOT NULL,
    redirect_uri text        NOT NULL,
    challenge    text        NOT NULL,
    nonce        text,
    scope        text        NOT NULL,
    session_id   uuid,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    CONSTRAINT authorization_code_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT authorization_code_client FOREIGN KEY (tenant_id, client_id) REFERENCES oauth_client ON DELETE CASCADE,
    CONSTRAINT authorization_code_parent FOREIGN KEY (tenant_id, parent_id) REFERENCES login_session ON DELETE CASCADE,
    CONSTRAINT authorization_code_session FOREIGN KEY (tenant_id, session_id) REFERENCES login_session ON DELETE CASCADE
);
COMMENT ON TABLE authorization_code IS 'Good once, for a minute; a second use ends the session that the first one began.';
COMMENT ON COLUMN authorization_code.session_id IS 'What the code was spent on; NULL while it is unspent.';
CREATE INDEX authorization_code_by_parent ON authorization_code (tenant_id, parent_id);
CREATE INDEX authorization_code_by_session ON authorization_code (tenant_id, session_id);
CREATE INDEX authorization_code_by_client ON authorization_code (tenant_id, client_id);
CALL tenant_table('authorization_code', 'SELECT, INSERT, UPDATE, DELETE');

CREATE TABLE refresh_token (
    tenant_id    uuid        NOT NULL,
    id           uuid        NOT NULL,
    session_id   uuid        NOT NULL,
    hash         bytea       NOT NULL CONSTRAINT refresh_token_hash CHECK (length(hash) = 32),
    used_at      timestamptz,
    successor_id uuid,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT refresh_token_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT refresh_token_session FOREIGN KEY (tenant_id, session_id) REFERENCES login_session ON DELETE CASCADE,
    CONSTRAINT refresh_token_used CHECK ((used_at IS NULL) = (successor_id IS NULL))
);
COMMENT ON TABLE refresh_token IS 'One link of a session''s chain; used twice outside the grace it ends the session.';
CREATE INDEX refresh_token_by_session ON refresh_token (tenant_id, session_id);
CALL tenant_table('refresh_token', 'SELECT, INSERT, UPDATE, DELETE');

CREATE TABLE device_code (
    tenant_id    uuid        NOT NULL,
    id           uuid        NOT NULL,
    hash         bytea       NOT NULL CONSTRAINT device_code_hash CHECK (length(hash) = 32),
    user_code    text        NOT NULL CONSTRAINT device_code_user_code CHECK (user_code ~ '^[B-Z]{8}$'),
    client_id    uuid        NOT NULL,
    scope        text        NOT NULL,
    remote       text        NOT NULL,
    state        text        NOT NULL DEFAULT 'waiting'
        CONSTRAINT device_code_state CHECK (state IN ('waiting', 'approved', 'denied', 'spent')),
    parent_id    uuid,
    polled_at    timestamptz,
    wait_seconds bigint      NOT NULL DEFAULT 5,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    CONSTRAINT device_code_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT device_code_by_user_code UNIQUE (tenant_id, user_code),
    CONSTRAINT device_code_client FOREIGN KEY (tenant_id, client_id) REFERENCES oauth_client ON DELETE CASCADE,
    CONSTRAINT device_code_parent FOREIGN KEY (tenant_id, parent_id) REFERENCES login_session ON DELETE CASCADE
);
COMMENT ON TABLE device_code IS 'A device waits for somebody to say yes in a browser (RFC 8628).';
CREATE INDEX device_code_by_parent ON device_code (tenant_id, parent_id);
CREATE INDEX device_code_by_client ON device_code (tenant_id, client_id);
CALL tenant_table('device_code', 'SELECT, INSERT, UPDATE, DELETE');

CREATE TABLE consent (
    tenant_id    uuid        NOT NULL,
    principal_id uuid        NOT NULL,
    client_id    uuid        NOT NULL,
    scope        text        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT consent_key PRIMARY KEY (tenant_id, principal_id, client_id),
    CONSTRAINT consent_principal FOREIGN KEY (tenant_id, principal_id) REFERENCES principal,
    CONSTRAINT consent_client FOREIGN KEY (tenant_id, client_id) REFERENCES oauth_client ON DELETE CASCADE
);
COMMENT ON TABLE consent IS 'What a user has let a client of others ask for.';
CREATE INDEX consent_by_client ON consent (tenant_id, client_id);
CALL tenant_table('consent', 'SELECT, INSERT, UPDATE, DELETE');

-- Second factors.

CREATE TABLE totp (
    tenant_id    uuid        NOT NULL,
    principal_id uuid        NOT NULL,
    sealed       bytea       NOT NULL,
    last_step    bigint      NOT NULL DEFAULT 0,
    confirmed_at timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT totp_key PRIMARY KEY (tenant_id, principal_id),
    CONSTRAINT totp_principal FOREIGN KEY (tenant_id, principal_id) REFERENCES principal
);
COMMENT ON TABLE totp IS 'The secret of a user''s one-time codes (RFC 6238), sealed; last_step keeps a code from being used twice.';
CALL tenant_table('totp', 'SELECT, INSERT, UPDATE, DELETE');

CREATE TABLE recovery_code (
    tenant_id    uuid  NOT NULL,
    principal_id uuid  NOT NULL,
    hash         bytea NOT NULL CONSTRAINT recovery_code_hash CHECK (length(hash) = 32),
    used_at      timestamptz,
    CONSTRAINT recovery_code_key PRIMARY KEY (tenant_id, principal_id, hash),
    CONSTRAINT recovery_code_principal FOREIGN KEY (tenant_id, principal_id) REFERENCES principal
);
COMMENT ON TABLE recovery_code IS 'Instead of a lost second factor, each once. 80 random bits, so the plain SHA-256 is kept.';
CALL tenant_table('recovery_code', 'SELECT, INSERT, UPDATE, DELETE');

CREATE TABLE webauthn_credential (
    tenant_id     uuid        NOT NULL,
    id            uuid        NOT NULL,
    principal_id  uuid        NOT NULL,
    name          text        NOT NULL CONSTRAINT webauthn_credential_name CHECK (length(name) BETWEEN 1 AND 100),
    credential_id bytea       NOT NULL
        CONSTRAINT webauthn_credential_credential_id CHECK (length(credential_id) BETWEEN 16 AND 1023),
    public        bytea       NOT NULL,
    algorithm     bigint      NOT NULL CONSTRAINT webauthn_credential_algorithm CHECK (algorithm IN (-7, -8, -257)),
    counter       bigint      NOT NULL,
    synced        boolean     NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    last_used_at  timestamptz,
    CONSTRAINT webauthn_credential_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT webauthn_credential_by_id UNIQUE (tenant_id, credential_id),
    CONSTRAINT webauthn_credential_principal FOREIGN KEY (tenant_id, principal_id) REFERENCES principal
);
COMMENT ON TABLE webauthn_credential IS 'A security key or passkey; public is its SubjectPublicKeyInfo in DER.';
COMMENT ON COLUMN webauthn_credential.synced IS 'Whether its maker can copy it to other devices (backup eligible), which never changes.';
CREATE INDEX webauthn_credential_by_principal ON webauthn_credential (tenant_id, principal_id);
CALL tenant_table('webauthn_credential', 'SELECT, INSERT, UPDATE, DELETE');

CREATE TABLE webauthn_challenge (
    tenant_id    uuid        NOT NULL,
    id           uuid        NOT NULL,
    principal_id uuid        NOT NULL,
    purpose      text        NOT NULL
        CONSTRAINT webauthn_challenge_purpose CHECK (purpose IN ('register', 'sign-in', 'step-up')),
    session_id   uuid,
    hash         bytea       NOT NULL CONSTRAINT webauthn_challenge_hash CHECK (length(hash) = 32),
    expires_at   timestamptz NOT NULL,
    CONSTRAINT webauthn_challenge_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT webauthn_challenge_principal FOREIGN KEY (tenant_id, principal_id) REFERENCES principal,
    CONSTRAINT webauthn_challenge_session FOREIGN KEY (tenant_id, session_id) REFERENCES login_session ON DELETE CASCADE,
    CONSTRAINT webauthn_challenge_of_session CHECK ((purpose = 'sign-in') = (session_id IS NULL))
);
COMMENT ON TABLE webauthn_challenge IS 'Something for a passkey to sign, once: it is gone with the first try. One for sign-in says that the password was right.';
COMMENT ON COLUMN webauthn_challenge.hash IS 'SHA-256 of the handle that its asker holds; the challenge itself.';
CREATE INDEX webauthn_challenge_by_principal ON webauthn_challenge (tenant_id, principal_id);
CREATE INDEX webauthn_challenge_by_session ON webauthn_challenge (tenant_id, session_id);
CALL tenant_table('webauthn_challenge', 'SELECT, INSERT, DELETE');

CREATE TABLE mfa_policy (
    tenant_id   uuid    NOT NULL CONSTRAINT mfa_policy_key PRIMARY KEY CONSTRAINT mfa_policy_tenant REFERENCES tenant,
    required    boolean NOT NULL,
    max_age     bigint  NOT NULL CONSTRAINT mfa_policy_max_age CHECK (max_age BETWEEN 60 AND 86400)
);
COMMENT ON TABLE mfa_policy IS 'Whether privileged acts need a second factor of everybody, and for how many seconds one counts as fresh.';
CALL tenant_table('mfa_policy', 'SELECT, INSERT, UPDATE');
