-- Approvals: requests bound to the digest of what was shown, decided by people who had no part in it.

CREATE TABLE approval (
    tenant_id       uuid        NOT NULL,
    id              uuid        NOT NULL,
    project_id      uuid        NOT NULL,
    action          text        NOT NULL CONSTRAINT approval_action CHECK (action IN ('train', 'promote')),
    subject         text        NOT NULL,
    version_id      uuid,
    job_id          uuid,
    alias           text,
    subject_digest  bytea       NOT NULL CONSTRAINT approval_subject_digest CHECK (length(subject_digest) = 32),
    evidence        json        NOT NULL,
    evidence_digest bytea       NOT NULL CONSTRAINT approval_evidence_digest CHECK (length(evidence_digest) = 32),
    required        int         NOT NULL CONSTRAINT approval_required CHECK (required BETWEEN 1 AND 10),
    state           text        NOT NULL DEFAULT 'pending'
                    CONSTRAINT approval_state CHECK (state IN ('pending', 'approved', 'rejected', 'revoked', 'void')),
    reason          text        NOT NULL DEFAULT '',
    requested_by    uuid        NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    expires_at      timestamptz NOT NULL,
    closed_by       uuid,
    closed_at       timestamptz,
    CONSTRAINT approval_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT approval_requester UNIQUE (tenant_id, id, requested_by),
    CONSTRAINT approval_project FOREIGN KEY (tenant_id, project_id) REFERENCES project,
    CONSTRAINT approval_version FOREIGN KEY (tenant_id, version_id) REFERENCES version,
    CONSTRAINT approval_subject_kind CHECK ((action = 'promote') = (version_id IS NOT NULL AND alias IS NOT NULL)
                                        AND (action = 'train') = (job_id IS NOT NULL))
);
COMMENT ON TABLE approval IS 'A request to do one governed thing. Approved, it holds until it expires, is revoked, or what it covers changes.';
CREATE INDEX approval_by_state ON approval (tenant_id, state, created_at);
CREATE INDEX approval_by_version ON approval (tenant_id, version_id);
CREATE UNIQUE INDEX approval_one_open ON approval (tenant_id, version_id, alias) WHERE state = 'pending' AND action = 'promote';
CALL tenant_table('approval', 'SELECT, INSERT, UPDATE');

CREATE FUNCTION approval_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.action, NEW.subject, NEW.version_id, NEW.job_id, NEW.alias, NEW.subject_digest, NEW.evidence::text, NEW.evidence_digest,
        NEW.required, NEW.requested_by, NEW.expires_at) IS DISTINCT FROM
       (OLD.action, OLD.subject, OLD.version_id, OLD.job_id, OLD.alias, OLD.subject_digest, OLD.evidence::text, OLD.evidence_digest,
        OLD.required, OLD.requested_by, OLD.expires_at)
       OR OLD.state IN ('rejected', 'revoked', 'void')
       OR (OLD.state = 'approved' AND NEW.state NOT IN ('approved', 'revoked', 'void'))
    THEN
        RAISE EXCEPTION 'an approval cannot be rewritten' USING ERRCODE = 'CH003';
    END IF;
    IF NEW.state = 'approved' AND OLD.state = 'pending' AND NEW.required >
       (SELECT count(*) FROM approval_decision d WHERE d.tenant_id = NEW.tenant_id AND d.approval_id = NEW.id AND d.verdict = 'approve')
    THEN
        RAISE EXCEPTION 'too few people have approved' USING ERRCODE = 'CH002';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER approval_frozen BEFORE UPDATE ON approval FOR EACH ROW EXECUTE FUNCTION approval_frozen();

CREATE TABLE approval_party (
    tenant_id    uuid NOT NULL,
    approval_id  uuid NOT NULL,
    principal_id uuid NOT NULL,
    part         text NOT NULL CONSTRAINT approval_party_part CHECK (part IN ('requester', 'author', 'trainer', 'data', 'owner')),
    CONSTRAINT approval_party_key PRIMARY KEY (tenant_id, approval_id, principal_id, part),
    CONSTRAINT approval_party_approval FOREIGN KEY (tenant_id, approval_id) REFERENCES approval,
    CONSTRAINT approval_party_principal FOREIGN KEY (tenant_id, principal_id) REFERENCES principal
);
COMMENT ON TABLE approval_party IS 'Append-only: everyone who had a part in what is to be approved, and so may not approve it.';
CALL tenant_table('approval_party', 'SELECT, INSERT');
CALL append_only('approval_party');

CREATE TABLE approval_decision (
    tenant_id    uuid        NOT NULL,
    approval_id  uuid        NOT NULL,
    decided_by   uuid        NOT NULL,
    requested_by uuid        NOT NULL,
    verdict      text        NOT NULL CONSTRAINT approval_verdict CHECK (verdict IN ('approve', 'reject')),
    reason       text        NOT NULL CONSTRAINT approval_reason CHECK (length(reason) BETWEEN 1 AND 2000),
    evidence_digest bytea    NOT NULL CONSTRAINT approval_seen CHECK (length(evidence_digest) = 32),
    at           timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT approval_decision_key PRIMARY KEY (tenant_id, approval_id, decided_by),
    CONSTRAINT approval_decision_approval FOREIGN KEY (tenant_id, approval_id, requested_by)
        REFERENCES approval (tenant_id, id, requested_by),
    CONSTRAINT approval_decision_by FOREIGN KEY (tenant_id, decided_by) REFERENCES principal,
    CONSTRAINT four_eyes CHECK (decided_by <> requested_by)
);
COMMENT ON TABLE approval_decision IS 'Append-only: one person''s verdict on one request, and the digest of the evidence they saw.';
CALL tenant_table('approval_decision', 'SELECT, INSERT');
CALL append_only('approval_decision');

-- One person is a user and all service accounts they own. Nobody who had a part in it decides, and nobody decides twice.
CREATE FUNCTION four_eyes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    person uuid := (SELECT coalesce(p.owner_id, p.id) FROM principal p
                     WHERE p.tenant_id = NEW.tenant_id AND p.id = NEW.decided_by);
BEGIN
    IF EXISTS (SELECT FROM approval_party y
                 JOIN principal q ON q.tenant_id = y.tenant_id AND q.id = y.principal_id
                WHERE y.tenant_id = NEW.tenant_id AND y.approval_id = NEW.approval_id
                  AND person IN (q.id, q.owner_id))
    THEN
        RAISE EXCEPTION 'nobody may decide on work they took part in' USING ERRCODE = 'CH001', CONSTRAINT = 'four_eyes';
    END IF;
    IF EXISTS (SELECT FROM approval_decision d
                 JOIN principal q ON q.tenant_id = d.tenant_id AND q.id = d.decided_by
                WHERE d.tenant_id = NEW.tenant_id AND d.approval_id = NEW.approval_id
                  AND person IN (q.id, q.owner_id))
    THEN
        RAISE EXCEPTION 'one person decides once' USING ERRCODE = 'CH001', CONSTRAINT = 'one_person';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER four_eyes BEFORE INSERT ON approval_decision FOR EACH ROW EXECUTE FUNCTION four_eyes();

ALTER TABLE alias ADD CONSTRAINT alias_approval FOREIGN KEY (tenant_id, approval_id) REFERENCES approval;

-- A protected alias never means a version that no approval in force covers.
CREATE FUNCTION alias_approved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM asset a JOIN project p ON p.tenant_id = a.tenant_id AND p.id = a.project_id
                WHERE a.tenant_id = NEW.tenant_id AND a.id = NEW.asset_id
                  AND p.policy #> '{promote,aliases}' ? NEW.name)
       AND NOT EXISTS (SELECT FROM approval x JOIN version v ON v.tenant_id = x.tenant_id AND v.id = x.version_id
                WHERE x.tenant_id = NEW.tenant_id AND x.id = NEW.approval_id AND x.action = 'promote'
                  AND x.version_id = NEW.version_id AND x.alias = NEW.name AND x.state = 'approved'
                  AND x.expires_at > now() AND x.subject_digest = v.digest AND v.state = 'ready')
    THEN
        RAISE EXCEPTION 'a protected alias moves only by an approval' USING ERRCODE = 'CH002', CONSTRAINT = 'alias_approved';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER alias_approved BEFORE INSERT OR UPDATE ON alias FOR EACH ROW EXECUTE FUNCTION alias_approved();

-- A project that begins to refuse pickles will not promote one: whoever asked for that hears so at once, not when it is decided.
CREATE FUNCTION pickles_refused() RETURNS trigger LANGUAGE plpgsql SET search_path = chancery, pg_temp AS $$
BEGIN
    UPDATE approval x SET state = 'void', closed_at = now()
      FROM version v
     WHERE x.tenant_id = NEW.tenant_id AND x.project_id = NEW.id AND x.state = 'pending' AND x.action = 'promote'
       AND v.tenant_id = x.tenant_id AND v.id = x.version_id
       AND CASE WHEN json_typeof(v.manifest -> 'pickles') = 'array' THEN json_array_length(v.manifest -> 'pickles') > 0 ELSE false END;
    RETURN NULL;
END $$;
CREATE TRIGGER pickles_refused AFTER UPDATE OF policy ON project FOR EACH ROW
    WHEN ((NEW.policy ->> 'refuse_pickle')::boolean IS TRUE AND (OLD.policy ->> 'refuse_pickle')::boolean IS NOT TRUE)
    EXECUTE FUNCTION pickles_refused();
