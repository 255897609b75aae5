-- Replicas and their leases: what lets a change of policy wait until every replica has seen it.

CREATE TABLE replica (
    id          uuid        NOT NULL CONSTRAINT replica_key PRIMARY KEY,
    started_at  timestamptz NOT NULL DEFAULT now(),
    lease_until timestamptz NOT NULL,
    seen        pg_snapshot NOT NULL
);
COMMENT ON TABLE replica IS 'global: the running processes of the service. One whose lease is over allows nothing from memory.';
COMMENT ON COLUMN replica.lease_until IS 'By the clock of the database, which is the only one that is compared.';
COMMENT ON COLUMN replica.seen IS 'Every policy change visible in this snapshot is in force there: a position in commit order that needs no lock.';
GRANT SELECT, INSERT, UPDATE, DELETE ON replica TO chancery_app;

-- A row restored from a dump names a transaction of another cluster; it is none that can be waited for.
CREATE FUNCTION authz_moved(since pg_snapshot) RETURNS TABLE (id uuid, epoch bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = chancery, pg_temp
    AS $$ SELECT e.tenant_id, e.epoch FROM authz_epoch e
           WHERE NOT pg_visible_in_snapshot(e.moved, since) AND pg_visible_in_snapshot(e.moved, pg_current_snapshot()) $$;
COMMENT ON FUNCTION authz_moved IS 'definer: each replica asks which tenants'' policies have changed since a snapshot.';

-- The first statement of a write that was allowed under an epoch: if that is not the newest, nothing is written.
CREATE FUNCTION tenant_stale(decided bigint) RETURNS boolean LANGUAGE plpgsql SET search_path = chancery, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'allowed under epoch %, which is not the newest', decided USING ERRCODE = 'CH005';
END $$;
COMMENT ON FUNCTION tenant_stale IS 'Ends a write that was allowed by a policy which is not that of its tenant any more.';

CREATE FUNCTION tenant_hold(wanted text, decided bigint, own boolean) RETURNS void
    LANGUAGE plpgsql SET search_path = chancery, pg_temp AS $$
DECLARE
    newest bigint;
BEGIN
    PERFORM set_config('app.tenant', wanted, true);
    IF own THEN
        SELECT epoch INTO newest FROM authz_epoch WHERE tenant_id = wanted::uuid FOR NO KEY UPDATE;
    ELSE
        SELECT epoch INTO newest FROM authz_epoch WHERE tenant_id = wanted::uuid FOR SHARE;
    END IF;
    IF newest IS DISTINCT FROM decided THEN
        PERFORM tenant_stale(decided);
    END IF;
END $$;
COMMENT ON FUNCTION tenant_hold IS 'Sets the tenant, and keeps its policy from changing before the commit; own: except by this transaction,'
    ' which sharing writers would wait for and it for them.';
