-- Answers kept for a day, so that a POST that is sent again with the same Idempotency-Key is not done twice.

CREATE TABLE idempotency_key (
    tenant_id    uuid        NOT NULL,
    principal_id uuid        NOT NULL,
    key          text        NOT NULL CONSTRAINT idempotency_key_text CHECK (octet_length(key) BETWEEN 1 AND 255),
    request      bytea       NOT NULL CONSTRAINT idempotency_key_request CHECK (length(request) = 32),
    status       int,
    answer       bytea,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT idempotency_key_key PRIMARY KEY (tenant_id, principal_id, key),
    CONSTRAINT idempotency_key_principal FOREIGN KEY (tenant_id, principal_id) REFERENCES principal
);
COMMENT ON TABLE idempotency_key IS 'request is SHA-256 of method, path and body; answer is sealed by the key file, for it may hold a secret.';
CALL tenant_table('idempotency_key', 'SELECT, INSERT, UPDATE, DELETE');
