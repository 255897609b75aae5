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

-- The first statement of a write that was allowed under an epoch: if that is not the newest, nothing is written. held 1
-- keeps the policy from changing before the commit; 2 is for what is going to change it, which with 1 would deadlock.
CREATE FUNCTION tenant_enter(wanted text, decided bigint, held int) RETURNS void
    LANGUAGE plpgsql SET search_path = chancery, pg_temp AS $$
DECLARE
    newest bigint;
BEGIN
    PERFORM set_config('app.tenant', wanted, true);
    IF held = 0 THEN
        SELECT epoch INTO newest FROM authz_epoch WHERE tenant_id = wanted::uuid;
    ELSIF held = 1 THEN
        SELECT epoch INTO newest FROM authz_epoch WHERE tenant_id = wanted::uuid FOR SHARE;
    ELSE
        SELECT epoch INTO newest FROM authz_epoch WHERE tenant_id = wanted::uuid FOR NO KEY UPDATE;
    END IF;
    IF newest IS DISTINCT FROM decided THEN
        RAISE EXCEPTION 'allowed under epoch %, but it is %', decided, newest USING ERRCODE = 'CH005';
    END IF;
END $$;
COMMENT ON FUNCTION tenant_enter IS 'Sets the tenant of the transaction, if its policy is still of the epoch the request was allowed under.';
