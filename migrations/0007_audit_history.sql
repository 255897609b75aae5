-- The audit log for auditors: former keys, restarts, witnesses, sinks, erasure, retention and words to search.

CREATE TABLE audit_key (
    tenant_id   uuid        NOT NULL,
    origin      text        NOT NULL,
    public      bytea       NOT NULL CONSTRAINT audit_key_public CHECK (length(public) = 32),
    sealed      bytea       NOT NULL,
    signs_until timestamptz NOT NULL,
    statement   text        NOT NULL,
    retired_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT audit_key_key PRIMARY KEY (tenant_id, origin, public)
);
COMMENT ON TABLE audit_key IS 'Append-only: keys that signed the log before the present one, which audit_log has.';
COMMENT ON COLUMN audit_key.statement IS 'What ended it: a note it signed that names its successor, or the last checkpoint of its origin.';
COMMENT ON COLUMN audit_key.signs_until IS 'Until then it signs checkpoints beside its successor.';
CALL tenant_table('audit_key', 'SELECT, INSERT');
CALL append_only('audit_key');

-- A log that was set back can never be signed on. Who holds the console of the database may let it begin anew.
CREATE TABLE audit_restart_permit (
    tenant_id uuid        NOT NULL CONSTRAINT audit_restart_permit_key PRIMARY KEY REFERENCES tenant,
    until     timestamptz NOT NULL
);
COMMENT ON TABLE audit_restart_permit IS 'Given by the database''s administrator only; audit_restart spends it.';
CALL tenant_table('audit_restart_permit', 'SELECT', true);

CREATE FUNCTION refuse_change_of_others() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_user <> 'chancery_owner' THEN
        RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'CH003';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION refuse_change_of_others IS 'chancery_owner is nobody but the definer functions below: erasure, retention and restart.';

DROP TRIGGER append_only ON audit_leaf;
CREATE TRIGGER append_only BEFORE UPDATE OR TRUNCATE ON audit_leaf FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_delete BEFORE DELETE ON audit_leaf
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_others();

CREATE FUNCTION audit_restart(fresh_origin text, fresh_public bytea, fresh_sealed bytea, empty_root bytea, last text)
    RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = chancery, pg_temp AS $$
BEGIN
    DELETE FROM audit_restart_permit WHERE tenant_id = current_tenant() AND until > now();
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the database''s administrator has not permitted a restart' USING ERRCODE = 'CH003';
    END IF;
    INSERT INTO audit_key (tenant_id, origin, public, sealed, signs_until, statement)
        SELECT tenant_id, origin, public, sealed, now(), last FROM audit_log WHERE tenant_id = current_tenant();
    INSERT INTO audit_pending (tenant_id, seq, leaf_hash)
        SELECT l.tenant_id, l.seq, e.leaf_hash FROM audit_leaf l
          JOIN audit_entry e ON e.tenant_id = l.tenant_id AND e.seq = l.seq WHERE l.tenant_id = current_tenant();
    DELETE FROM audit_leaf WHERE tenant_id = current_tenant();
    DELETE FROM audit_tile WHERE tenant_id = current_tenant();
    DELETE FROM audit_text WHERE tenant_id = current_tenant();
    DELETE FROM audit_text_head WHERE tenant_id = current_tenant();
    UPDATE audit_witness SET size = 0 WHERE tenant_id = current_tenant();
    UPDATE audit_sink SET next = 0 WHERE tenant_id = current_tenant();
    UPDATE audit_log SET origin = fresh_origin, public = fresh_public, sealed = fresh_sealed, size = 0,
                         root = empty_root, checkpoint = NULL, signed_size = 0, signed_at = NULL
     WHERE tenant_id = current_tenant();
END $$;
COMMENT ON FUNCTION audit_restart IS 'definer: gives every placed entry of the tenant back to the sequencer, under a new origin; spends a permit.';

-- Words of payloads, gathered after the fact so that no governed change pays for them.
CREATE TABLE audit_text (
    tenant_id uuid     NOT NULL,
    seq       bigint   NOT NULL,
    words     tsvector NOT NULL,
    CONSTRAINT audit_text_key PRIMARY KEY (tenant_id, seq)
);
COMMENT ON TABLE audit_text IS 'What audit_payload says: an HMAC of each word under a key of the tenant; the tenant''s id is one of them, so that the index keeps tenants apart.';
CREATE INDEX audit_text_words ON audit_text USING gin (words);
CALL tenant_table('audit_text', 'SELECT, INSERT', true);

CREATE TABLE audit_text_head (
    tenant_id uuid   NOT NULL CONSTRAINT audit_text_head_key PRIMARY KEY REFERENCES tenant,
    size      bigint NOT NULL
);
COMMENT ON TABLE audit_text_head IS 'How many leaves of the log audit_text knows.';
CALL tenant_table('audit_text_head', 'SELECT, INSERT, UPDATE', true);

-- Erasure and retention: payload and salt go, with erasure the subject's key too; the leaf with their commitment stays.
DROP TRIGGER append_only ON audit_payload;
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON audit_payload
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_update BEFORE UPDATE ON audit_payload
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_others();
CREATE FUNCTION audit_payload_only_erased() RETURNS trigger LANGUAGE plpgsql SET search_path = chancery, pg_temp AS $$
BEGIN
    IF (NEW.tenant_id, NEW.id, NEW.key_id, NEW.about_id) IS DISTINCT FROM (OLD.tenant_id, OLD.id, OLD.key_id, OLD.about_id)
       OR NEW.sealed IS NOT NULL THEN
        RAISE EXCEPTION 'a payload can only be erased' USING ERRCODE = 'CH003';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER only_erased BEFORE UPDATE ON audit_payload FOR EACH ROW EXECUTE FUNCTION audit_payload_only_erased();

DROP TRIGGER append_only ON audit_subject_key;
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON audit_subject_key
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_update BEFORE UPDATE ON audit_subject_key
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_others();
CREATE FUNCTION audit_subject_key_only_destroyed() RETURNS trigger LANGUAGE plpgsql SET search_path = chancery, pg_temp AS $$
BEGIN
    IF (NEW.tenant_id, NEW.id, NEW.subject, NEW.created_at) IS DISTINCT FROM
       (OLD.tenant_id, OLD.id, OLD.subject, OLD.created_at) OR NEW.wrapped IS NOT NULL OR OLD.wrapped IS NULL THEN
        RAISE EXCEPTION 'a key can only be destroyed' USING ERRCODE = 'CH003';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER only_destroyed BEFORE UPDATE ON audit_subject_key
    FOR EACH ROW EXECUTE FUNCTION audit_subject_key_only_destroyed();

-- One person asks for it, another lets it happen.
CREATE TABLE audit_erasure (
    tenant_id    uuid        NOT NULL,
    id           uuid        NOT NULL,
    subject      uuid        NOT NULL,
    key_id       uuid        NOT NULL,
    sealed       bytea       NOT NULL,
    requested_by uuid        NOT NULL,
    answers      uuid,
    requested_at timestamptz NOT NULL DEFAULT now(),
    verdict      text        CONSTRAINT audit_erasure_verdict CHECK (verdict IN ('approve', 'reject')),
    decided_by   uuid,
    decided_at   timestamptz,
    erased       bigint,
    CONSTRAINT audit_erasure_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT audit_erasure_subject FOREIGN KEY (tenant_id, subject) REFERENCES principal,
    CONSTRAINT audit_erasure_two CHECK (decided_by NOT IN (requested_by, subject) AND (answers IS NULL OR decided_by <> answers)),
    CONSTRAINT audit_erasure_decided CHECK ((verdict IS NULL) = (decided_by IS NULL) AND (verdict IS NULL) = (decided_at IS NULL))
);
COMMENT ON TABLE audit_erasure IS 'Requests to forget what entries by or about somebody say, and what became of them.';
COMMENT ON COLUMN audit_erasure.sealed IS 'The reason, under the key of audit_subject_key that key_id names: requested_by''s.';
COMMENT ON COLUMN audit_erasure.answers IS 'Who answers for requested_by, if that is a service account.';
CALL tenant_table('audit_erasure', 'SELECT, INSERT, UPDATE', true);
CREATE FUNCTION audit_erasure_once() RETURNS trigger LANGUAGE plpgsql SET search_path = chancery, pg_temp AS $$
BEGIN
    IF OLD.erased IS NOT NULL
       OR (OLD.verdict IS NOT NULL AND (NEW.verdict, NEW.decided_by, NEW.decided_at)
           IS DISTINCT FROM (OLD.verdict, OLD.decided_by, OLD.decided_at))
       OR (NEW.tenant_id, NEW.id, NEW.subject, NEW.key_id, NEW.sealed, NEW.requested_by, NEW.requested_at)
       IS DISTINCT FROM (OLD.tenant_id, OLD.id, OLD.subject, OLD.key_id, OLD.sealed, OLD.requested_by, OLD.requested_at)
       OR NEW.answers IS DISTINCT FROM OLD.answers THEN
        RAISE EXCEPTION 'an erasure is decided once, as it was asked for' USING ERRCODE = 'CH003';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER decided_once BEFORE UPDATE ON audit_erasure FOR EACH ROW EXECUTE FUNCTION audit_erasure_once();

CREATE FUNCTION audit_erase(subject uuid, subject_name text, most int) RETURNS TABLE (id uuid)
    LANGUAGE sql SECURITY DEFINER SET search_path = chancery, pg_temp AS $$
    WITH approved AS (
        SELECT x.tenant_id FROM audit_erasure x
         WHERE x.tenant_id = current_tenant() AND x.subject = audit_erase.subject AND x.verdict = 'approve'
           AND x.decided_at = now() LIMIT 1),
    meant AS (
        SELECT e.tenant_id, e.id, e.seq FROM approved a JOIN audit_entry e ON e.tenant_id = a.tenant_id
          JOIN audit_payload p ON p.tenant_id = e.tenant_id AND p.id = e.id AND p.sealed IS NOT NULL
         WHERE e.actor = subject OR e.object IN ('users/' || subject, 'service-accounts/' || subject_name)
            OR e.object ^@ ('users/' || subject || '/') OR e.object ^@ ('service-accounts/' || subject_name || '/')
            OR e.object ^@ ('bindings/' || subject || '/') OR e.object ^@ ('eligible/' || subject || '/')
            OR e.object = 'ceilings/' || subject OR e.object LIKE 'groups/%/' || subject
         ORDER BY e.seq LIMIT most),
    keys AS (
        UPDATE audit_subject_key k SET wrapped = NULL, destroyed_at = now() FROM approved a
         WHERE k.tenant_id = a.tenant_id AND k.wrapped IS NOT NULL
           AND k.subject IN (audit_erase.subject::text, 'service-accounts/' || subject_name)),
    words AS (DELETE FROM audit_text t USING meant m WHERE t.tenant_id = m.tenant_id AND t.seq = m.seq)
    UPDATE audit_payload p SET sealed = NULL FROM meant m
     WHERE p.tenant_id = m.tenant_id AND p.id = m.id RETURNING p.id $$;
COMMENT ON FUNCTION audit_erase IS 'definer: forgets what entries by or about a principal of the running tenant say, and destroys the keys it was under, in the transaction in which somebody else approved it; the leaves stay.';

CREATE TABLE audit_retention (
    tenant_id uuid NOT NULL,
    class     text NOT NULL CONSTRAINT audit_retention_class CHECK (class IN ('change', 'read', 'refusal')),
    days      int  NOT NULL CONSTRAINT audit_retention_floor CHECK (days BETWEEN 180 AND 36500),
    CONSTRAINT audit_retention_key PRIMARY KEY (tenant_id, class)
);
COMMENT ON TABLE audit_retention IS 'For how many days the payloads of a class of actions are kept; without a row for ever.';
CALL tenant_table('audit_retention', 'SELECT, INSERT, UPDATE, DELETE', true);

CREATE FUNCTION audit_class(action text, outcome text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CASE WHEN outcome <> 'ok' THEN 'refusal' WHEN action ^@ 'get_' THEN 'read' ELSE 'change' END $$;
COMMENT ON FUNCTION audit_class IS 'The class of an entry, as audit_retention names it.';

CREATE FUNCTION audit_expire(wanted text, most int) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = chancery, pg_temp AS $$
    WITH old AS (
        SELECT e.tenant_id, e.id, e.seq FROM audit_retention r
          JOIN audit_entry e ON e.tenant_id = r.tenant_id AND e.at < now() - make_interval(days => greatest(r.days, 180))
          JOIN audit_payload p ON p.tenant_id = e.tenant_id AND p.id = e.id AND p.sealed IS NOT NULL
         WHERE r.tenant_id = current_tenant() AND r.class = wanted AND audit_class(e.action, e.outcome) = wanted
         LIMIT most),
    words AS (DELETE FROM audit_text t USING old o WHERE t.tenant_id = o.tenant_id AND t.seq = o.seq),
    gone AS (UPDATE audit_payload p SET sealed = NULL FROM old o
              WHERE p.tenant_id = o.tenant_id AND p.id = o.id RETURNING p.id)
    SELECT count(*) FROM gone $$;
COMMENT ON FUNCTION audit_expire IS 'definer: forgets payloads of the running tenant that are older than its policy keeps them, never under 180 days.';

CREATE FUNCTION audit_search(wanted uuid, words text) RETURNS TABLE (seq bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = chancery, pg_temp AS $$
    SELECT t.seq FROM audit_text t
     WHERE t.tenant_id = wanted AND wanted = current_tenant()
       AND t.words @@ (replace(wanted::text, '-', '')::tsquery && audit_search.words::tsquery) $$;
COMMENT ON FUNCTION audit_search IS 'definer: names the tenant and finds its entries by their words, as audit_text has them; row level security would keep @@ out of the index.';

-- Outside copies of the log.
CREATE TABLE audit_sink (
    tenant_id    uuid        NOT NULL,
    name         text        NOT NULL CONSTRAINT audit_sink_name CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    kind         text        NOT NULL CONSTRAINT audit_sink_kind CHECK (kind IN ('webhook', 'syslog', 'file')),
    target       text        NOT NULL,
    sealed       bytea,
    ca           text,
    keep         int         NOT NULL DEFAULT 10,
    file_bytes   bigint      NOT NULL DEFAULT 67108864,
    next         bigint      NOT NULL DEFAULT 0,
    failures     int         NOT NULL DEFAULT 0,
    problem      text,
    retry_at     timestamptz NOT NULL DEFAULT now(),
    delivered_at timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT audit_sink_key PRIMARY KEY (tenant_id, name)
);
COMMENT ON TABLE audit_sink IS 'Where copies of entries go. next is the leaf index of the first entry not delivered yet.';
COMMENT ON COLUMN audit_sink.sealed IS 'A webhook''s signing secret.';
CALL tenant_table('audit_sink', 'SELECT, INSERT, UPDATE, DELETE', true);

CREATE FUNCTION audit_sink_work() RETURNS TABLE (tenant_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = chancery, pg_temp AS $$
    SELECT DISTINCT s.tenant_id FROM audit_sink s JOIN audit_log l ON l.tenant_id = s.tenant_id
     WHERE s.next < l.signed_size AND s.retry_at <= now() $$;
COMMENT ON FUNCTION audit_sink_work IS 'definer: the courier asks which tenants have entries to deliver.';

-- Those who sign that they saw a checkpoint and no other of its size.
CREATE TABLE audit_witness (
    tenant_id  uuid        NOT NULL,
    name       text        NOT NULL CONSTRAINT audit_witness_name CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    vkey       text        NOT NULL,
    url        text        NOT NULL,
    size       bigint      NOT NULL DEFAULT 0,
    problem    text,
    tried_at   timestamptz,
    retry_at   timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT audit_witness_key PRIMARY KEY (tenant_id, name)
);
COMMENT ON TABLE audit_witness IS 'C2SP tlog-witness services that are asked to cosign. size is what the witness saw last.';
CALL tenant_table('audit_witness', 'SELECT, INSERT, UPDATE, DELETE', true);

CREATE TABLE audit_cosignature (
    tenant_id uuid        NOT NULL,
    origin    text        NOT NULL,
    size      bigint      NOT NULL,
    witness   text        NOT NULL,
    line      text        NOT NULL,
    at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT audit_cosignature_key PRIMARY KEY (tenant_id, origin, size, witness)
);
COMMENT ON TABLE audit_cosignature IS 'Append-only: signature lines of witnesses under checkpoints.';
CALL tenant_table('audit_cosignature', 'SELECT, INSERT', true);
CALL append_only('audit_cosignature');

CREATE FUNCTION audit_witness_work() RETURNS TABLE (tenant_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = chancery, pg_temp AS $$
    SELECT DISTINCT w.tenant_id FROM audit_witness w JOIN audit_log l ON l.tenant_id = w.tenant_id
     WHERE l.checkpoint IS NOT NULL AND w.retry_at <= now() AND NOT EXISTS (
           SELECT FROM audit_cosignature c WHERE c.tenant_id = w.tenant_id AND c.origin = l.origin
              AND c.size = l.signed_size AND c.witness = w.name) $$;
COMMENT ON FUNCTION audit_witness_work IS 'definer: the notary asks which tenants have checkpoints to be cosigned.';

CREATE FUNCTION audit_keeper_work() RETURNS TABLE (tenant_id uuid, indexing boolean, expiring boolean)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = chancery, pg_temp AS $$
    SELECT l.tenant_id, l.size > coalesce(h.size, 0),
           EXISTS (SELECT FROM audit_retention r WHERE r.tenant_id = l.tenant_id)
      FROM audit_log l LEFT JOIN audit_text_head h ON h.tenant_id = l.tenant_id $$;
COMMENT ON FUNCTION audit_keeper_work IS 'definer: the keeper asks which tenants have entries to make searchable or to forget.';

CREATE FUNCTION audit_due(idle_seconds int) RETURNS TABLE (tenant_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = chancery, pg_temp AS $$
    WITH RECURSIVE waiting (id) AS (
        (SELECT p.tenant_id FROM audit_pending p ORDER BY p.tenant_id LIMIT 1)
        UNION ALL
        SELECT (SELECT p.tenant_id FROM audit_pending p WHERE p.tenant_id > w.id ORDER BY p.tenant_id LIMIT 1)
          FROM waiting w WHERE w.id IS NOT NULL)
    SELECT w.id FROM waiting w WHERE w.id IS NOT NULL
    UNION
    SELECT l.tenant_id FROM audit_log l
     WHERE l.size > l.signed_size OR l.signed_at IS NULL
        OR l.signed_at < now() - make_interval(secs => idle_seconds) $$;
COMMENT ON FUNCTION audit_due IS 'definer: the sequencer asks which tenants have entries to place or a checkpoint to sign.';
DROP FUNCTION audit_work();
