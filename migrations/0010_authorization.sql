-- Groups, custom roles, denies, ceilings, conditions, separation of duties, eligible roles, reviews, classification.

CREATE PROCEDURE policy_table(name regclass) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER authz_changed AFTER INSERT OR UPDATE OR DELETE ON %s'
                   ' FOR EACH STATEMENT EXECUTE FUNCTION authz_changed()', name);
END $$;
COMMENT ON PROCEDURE policy_table IS 'Every change of this table is a change of policy.';

CREATE FUNCTION tenant_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = chancery, pg_temp AS $$
BEGIN
    PERFORM authz_move(NEW.tenant_id);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION tenant_changed IS 'definer: suspending a tenant moves its epoch, whoever does it.';
CREATE TRIGGER tenant_changed AFTER UPDATE OF state, name ON tenant FOR EACH ROW EXECUTE FUNCTION tenant_changed();

ALTER TABLE principal ADD COLUMN tokens_since timestamptz;
COMMENT ON COLUMN principal.tokens_since IS 'Access tokens issued before this are refused: the password was set anew.';
CREATE TRIGGER authz_tokens_changed AFTER UPDATE OF tokens_since ON principal
    FOR EACH STATEMENT EXECUTE FUNCTION authz_changed();

-- Groups.

CREATE TABLE principal_group (
    tenant_id    uuid        NOT NULL CONSTRAINT principal_group_tenant REFERENCES tenant,
    id           uuid        NOT NULL,
    name         text        NOT NULL CONSTRAINT principal_group_name CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    display_name text,
    external_id  text,
    source       text        NOT NULL DEFAULT 'local' CONSTRAINT principal_group_source CHECK (source IN ('local', 'scim', 'claim')),
    created_by   uuid        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT principal_group_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT principal_group_by_name UNIQUE (tenant_id, name)
);
COMMENT ON TABLE principal_group IS 'People, service accounts and groups that are given roles together.';
CALL tenant_table('principal_group', 'SELECT, INSERT, UPDATE, DELETE');
CALL policy_table('principal_group');

CREATE TABLE group_member (
    tenant_id    uuid        NOT NULL,
    id           uuid        NOT NULL,
    group_id     uuid        NOT NULL,
    principal_id uuid,
    child_id     uuid,
    source       text        NOT NULL DEFAULT 'local' CONSTRAINT group_member_source CHECK (source IN ('local', 'scim', 'claim')),
    valid_from   timestamptz NOT NULL DEFAULT now(),
    valid_until  timestamptz,
    created_by   uuid        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT group_member_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT group_member_group FOREIGN KEY (tenant_id, group_id) REFERENCES principal_group ON DELETE CASCADE,
    CONSTRAINT group_member_child FOREIGN KEY (tenant_id, child_id) REFERENCES principal_group ON DELETE CASCADE,
    CONSTRAINT group_member_principal FOREIGN KEY (tenant_id, principal_id) REFERENCES principal,
    CONSTRAINT group_member_one CHECK ((principal_id IS NULL) <> (child_id IS NULL)),
    CONSTRAINT group_member_self CHECK (child_id <> group_id),
    CONSTRAINT group_member_time CHECK (valid_until IS NULL OR valid_until > valid_from)
);
COMMENT ON TABLE group_member IS 'Who is in a group, for a time: a principal or another group. source keeps two masters from fighting over a row.';
CREATE UNIQUE INDEX group_member_once ON group_member (tenant_id, group_id, coalesce(principal_id, child_id), source);
CREATE INDEX group_member_by_principal ON group_member (tenant_id, principal_id);
CREATE INDEX group_member_by_child ON group_member (tenant_id, child_id);
CALL tenant_table('group_member', 'SELECT, INSERT, UPDATE, DELETE');
CALL policy_table('group_member');

-- Nested at most five deep and never in a circle, whoever writes.
CREATE FUNCTION group_nesting() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    above int;
    below int;
BEGIN
    IF NEW.child_id IS NULL THEN
        RETURN NEW;
    END IF;
    WITH RECURSIVE up (id, depth) AS (
        SELECT NEW.group_id, 1
        UNION SELECT m.group_id, up.depth + 1 FROM up JOIN group_member m
           ON m.tenant_id = NEW.tenant_id AND m.child_id = up.id WHERE up.depth < 8)
    SELECT max(depth), bool_or(id = NEW.child_id)::int INTO above, below FROM up;
    IF below = 1 THEN
        RAISE EXCEPTION 'a group cannot be in itself' USING ERRCODE = '23514', CONSTRAINT = 'group_member_cycle';
    END IF;
    WITH RECURSIVE down (id, depth) AS (
        SELECT NEW.child_id, 1
        UNION SELECT m.child_id, down.depth + 1 FROM down JOIN group_member m
           ON m.tenant_id = NEW.tenant_id AND m.group_id = down.id WHERE m.child_id IS NOT NULL AND down.depth < 8)
    SELECT max(depth) INTO below FROM down;
    IF above + below > 5 THEN
        RAISE EXCEPTION 'groups nest at most five deep' USING ERRCODE = '23514', CONSTRAINT = 'group_member_depth';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER group_nesting BEFORE INSERT OR UPDATE ON group_member FOR EACH ROW EXECUTE FUNCTION group_nesting();

-- Bindings to groups, at assets, under conditions.

ALTER TABLE binding ALTER COLUMN principal_id DROP NOT NULL;
ALTER TABLE binding ADD COLUMN group_id uuid;
ALTER TABLE binding ADD COLUMN asset text;
ALTER TABLE binding ADD COLUMN condition text CONSTRAINT binding_condition CHECK (octet_length(condition) <= 500);
ALTER TABLE binding ADD COLUMN eligible_id uuid;
ALTER TABLE binding ADD CONSTRAINT binding_group FOREIGN KEY (tenant_id, group_id) REFERENCES principal_group;
ALTER TABLE binding ADD CONSTRAINT binding_holder CHECK ((principal_id IS NULL) <> (group_id IS NULL));
ALTER TABLE binding DROP CONSTRAINT binding_scope;
ALTER TABLE binding ADD CONSTRAINT binding_scope CHECK (scope IN ('platform', 'tenant', 'project', 'asset'));
ALTER TABLE binding DROP CONSTRAINT binding_place;
ALTER TABLE binding ADD CONSTRAINT binding_place CHECK ((scope IN ('project', 'asset')) = (project_id IS NOT NULL));
ALTER TABLE binding ADD CONSTRAINT binding_asset CHECK ((scope = 'asset') = (asset IS NOT NULL));
ALTER TABLE binding ADD CONSTRAINT binding_asset_name CHECK (asset ~ '^((models|datasets|environments|components|prompts|notebooks|flows|connections|endpoints)/[a-z0-9][a-z0-9._-]{0,62}|jobs)$');
DROP INDEX binding_once;
CREATE UNIQUE INDEX binding_once ON binding
    (tenant_id, coalesce(principal_id, group_id), role, scope, coalesce(project_id, tenant_id), coalesce(asset, ''));
CREATE INDEX binding_by_group ON binding (tenant_id, group_id);
GRANT UPDATE (valid_until) ON binding TO chancery_app;

-- Custom roles.

CREATE TABLE custom_role (
    tenant_id        uuid        NOT NULL CONSTRAINT custom_role_tenant REFERENCES tenant,
    name             text        NOT NULL CONSTRAINT custom_role_name CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    description      text        NOT NULL DEFAULT '',
    actions          text[]      NOT NULL DEFAULT '{}',
    not_actions      text[]      NOT NULL DEFAULT '{}',
    data_actions     text[]      NOT NULL DEFAULT '{}',
    not_data_actions text[]      NOT NULL DEFAULT '{}',
    scopes           text[]      NOT NULL DEFAULT '{tenant,project}',
    expanded         text[]      NOT NULL,
    catalogue        text        NOT NULL,
    revision         bigint      NOT NULL DEFAULT 1,
    created_by       uuid        NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT custom_role_key PRIMARY KEY (tenant_id, name)
);
COMMENT ON TABLE custom_role IS 'A tenant''s own roles. A wildcard means what it meant when the role was saved: that is expanded.';
COMMENT ON COLUMN custom_role.catalogue IS 'SHA-256 of the catalogue of actions by which it was expanded.';
CALL tenant_table('custom_role', 'SELECT, INSERT, UPDATE, DELETE');
CALL policy_table('custom_role');

-- Denies and ceilings.

CREATE TABLE deny (
    tenant_id   uuid        NOT NULL CONSTRAINT deny_tenant REFERENCES tenant,
    id          uuid        NOT NULL,
    principals  text[]      NOT NULL,
    excluded    text[]      NOT NULL DEFAULT '{}',
    holders     uuid[]      NOT NULL,
    spared      uuid[]      NOT NULL DEFAULT '{}',
    actions     text[]      NOT NULL CONSTRAINT deny_actions CHECK (cardinality(actions) > 0),
    scope       text        NOT NULL CONSTRAINT deny_scope CHECK (scope IN ('tenant', 'project', 'asset')),
    project_id  uuid,
    asset       text        CONSTRAINT deny_asset_name CHECK (asset ~ '^((models|datasets|environments|components|prompts|notebooks|flows|connections|endpoints)/[a-z0-9][a-z0-9._-]{0,62}|jobs)$'),
    reason      text        NOT NULL,
    valid_until timestamptz,
    created_by  uuid        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT deny_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT deny_project FOREIGN KEY (tenant_id, project_id) REFERENCES project,
    CONSTRAINT deny_place CHECK ((scope IN ('project', 'asset')) = (project_id IS NOT NULL)),
    CONSTRAINT deny_asset CHECK ((scope = 'asset') = (asset IS NOT NULL))
);
COMMENT ON TABLE deny IS 'What is taken away at a scope and below, whatever grants it. No holders: everyone.';
COMMENT ON COLUMN deny.principals IS 'As they were named; holders and spared are the ids of those principals and groups.';
CALL tenant_table('deny', 'SELECT, INSERT, DELETE');
CALL policy_table('deny');

CREATE TABLE ceiling (
    tenant_id    uuid        NOT NULL,
    id           uuid        NOT NULL,
    principal_id uuid        NOT NULL,
    actions      text[]      NOT NULL CONSTRAINT ceiling_actions CHECK (cardinality(actions) > 0),
    scope        text        NOT NULL CONSTRAINT ceiling_scope CHECK (scope IN ('tenant', 'project', 'asset')),
    project_id   uuid,
    asset        text        CONSTRAINT ceiling_asset_name CHECK (asset ~ '^((models|datasets|environments|components|prompts|notebooks|flows|connections|endpoints)/[a-z0-9][a-z0-9._-]{0,62}|jobs)$'),
    created_by   uuid        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT ceiling_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT ceiling_principal FOREIGN KEY (tenant_id, principal_id) REFERENCES principal,
    CONSTRAINT ceiling_project FOREIGN KEY (tenant_id, project_id) REFERENCES project,
    CONSTRAINT ceiling_place CHECK ((scope IN ('project', 'asset')) = (project_id IS NOT NULL)),
    CONSTRAINT ceiling_asset CHECK ((scope = 'asset') = (asset IS NOT NULL))
);
COMMENT ON TABLE ceiling IS 'A service account with ceilings may nothing that is not under one of them, whatever roles it has.';
CALL tenant_table('ceiling', 'SELECT, INSERT, DELETE');
CALL policy_table('ceiling');

-- Separation of duties; roles that are not held but can be asked for.

CREATE TABLE duty (
    tenant_id   uuid        NOT NULL CONSTRAINT duty_tenant REFERENCES tenant,
    name        text        NOT NULL CONSTRAINT duty_name CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    description text        NOT NULL DEFAULT '',
    roles       text[]      NOT NULL CONSTRAINT duty_roles CHECK (cardinality(roles) >= 2),
    at_most     int         NOT NULL DEFAULT 1,
    active_only boolean     NOT NULL DEFAULT false,
    created_by  uuid        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT duty_key PRIMARY KEY (tenant_id, name),
    CONSTRAINT duty_at_most CHECK (at_most >= 1 AND at_most < cardinality(roles))
);
COMMENT ON TABLE duty IS 'Nobody may have more than at_most of these roles at one place (ANSI INCITS 359: static separation of duty).';
COMMENT ON COLUMN duty.active_only IS 'Dynamic: being eligible for the roles is fine; having them active at the same time is not.';
CALL tenant_table('duty', 'SELECT, INSERT, UPDATE, DELETE');
CALL policy_table('duty');

CREATE TABLE eligible (
    tenant_id    uuid        NOT NULL,
    id           uuid        NOT NULL,
    principal_id uuid,
    group_id     uuid,
    role         text        NOT NULL,
    scope        text        NOT NULL CONSTRAINT eligible_scope CHECK (scope IN ('tenant', 'project', 'asset')),
    project_id   uuid,
    asset        text        CONSTRAINT eligible_asset_name CHECK (asset ~ '^((models|datasets|environments|components|prompts|notebooks|flows|connections|endpoints)/[a-z0-9][a-z0-9._-]{0,62}|jobs)$'),
    max_hours    int         NOT NULL CONSTRAINT eligible_hours CHECK (max_hours BETWEEN 1 AND 720),
    approval     boolean     NOT NULL DEFAULT true,
    step_up      boolean     NOT NULL DEFAULT false,
    valid_until  timestamptz,
    created_by   uuid        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT eligible_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT eligible_principal FOREIGN KEY (tenant_id, principal_id) REFERENCES principal,
    CONSTRAINT eligible_group FOREIGN KEY (tenant_id, group_id) REFERENCES principal_group,
    CONSTRAINT eligible_project FOREIGN KEY (tenant_id, project_id) REFERENCES project,
    CONSTRAINT eligible_holder CHECK ((principal_id IS NULL) <> (group_id IS NULL)),
    CONSTRAINT eligible_place CHECK ((scope IN ('project', 'asset')) = (project_id IS NOT NULL)),
    CONSTRAINT eligible_asset CHECK ((scope = 'asset') = (asset IS NOT NULL))
);
COMMENT ON TABLE eligible IS 'A role that is not held, but that its holder may ask to have for some hours.';
CREATE UNIQUE INDEX eligible_once ON eligible
    (tenant_id, coalesce(principal_id, group_id), role, scope, coalesce(project_id, tenant_id), coalesce(asset, ''));
CALL tenant_table('eligible', 'SELECT, INSERT, DELETE');
CALL policy_table('eligible');

CREATE TABLE activation (
    tenant_id     uuid        NOT NULL,
    id            uuid        NOT NULL,
    eligible_id   uuid        NOT NULL,
    principal_id  uuid        NOT NULL,
    role          text        NOT NULL,
    hours         int         NOT NULL CONSTRAINT activation_hours CHECK (hours BETWEEN 1 AND 720),
    justification text        NOT NULL,
    ticket        text,
    state         text        NOT NULL CONSTRAINT activation_state CHECK (state IN ('pending', 'active', 'rejected', 'ended')),
    decided_by    uuid,
    reason        text,
    binding_id    uuid,
    expires_at    timestamptz NOT NULL DEFAULT now() + interval '24 hours',
    created_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT activation_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT activation_principal FOREIGN KEY (tenant_id, principal_id) REFERENCES principal,
    CONSTRAINT activation_four_eyes CHECK (decided_by <> principal_id)
);
COMMENT ON TABLE activation IS 'Somebody asked for an eligible role, and what became of it. expires_at: of the request, then of the role.';
CREATE INDEX activation_by_principal ON activation (tenant_id, principal_id, id);
CREATE UNIQUE INDEX activation_open ON activation (tenant_id, eligible_id, principal_id) WHERE state = 'pending';
CALL tenant_table('activation', 'SELECT, INSERT, UPDATE');

-- Access reviews. An item's binding ends with the review unless somebody keeps it: silence needs no sweeper.

CREATE TABLE review (
    tenant_id  uuid        NOT NULL CONSTRAINT review_tenant REFERENCES tenant,
    id         uuid        NOT NULL,
    name       text        NOT NULL CONSTRAINT review_name CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    project_id uuid,
    reviewers  text[]      NOT NULL,
    due_at     timestamptz NOT NULL,
    digest     text        NOT NULL,
    created_by uuid        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT review_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT review_by_name UNIQUE (tenant_id, name),
    CONSTRAINT review_project FOREIGN KEY (tenant_id, project_id) REFERENCES project
);
COMMENT ON TABLE review IS 'A campaign: everybody''s roles as of its beginning are kept or taken by its reviewers until due_at.';
COMMENT ON COLUMN review.digest IS 'SHA-256 of the items as they were frozen.';
CALL tenant_table('review', 'SELECT, INSERT');

CREATE TABLE review_item (
    tenant_id     uuid        NOT NULL,
    review_id     uuid        NOT NULL,
    binding_id    uuid        NOT NULL,
    holder        text        NOT NULL,
    role          text        NOT NULL,
    place         text        NOT NULL,
    lasted_until  timestamptz,
    last_used_at  timestamptz,
    recommended   text        NOT NULL CONSTRAINT review_item_recommended CHECK (recommended IN ('keep', 'remove')),
    decision      text        CONSTRAINT review_item_decision CHECK (decision IN ('keep', 'remove')),
    reason        text,
    decided_by    uuid,
    decided_at    timestamptz,
    CONSTRAINT review_item_key PRIMARY KEY (tenant_id, review_id, binding_id),
    CONSTRAINT review_item_review FOREIGN KEY (tenant_id, review_id) REFERENCES review,
    CONSTRAINT review_item_decided CHECK ((decision IS NULL) = (decided_by IS NULL))
);
COMMENT ON TABLE review_item IS 'One role of one holder under review. lasted_until is what keeping it gives back.';
CALL tenant_table('review_item', 'SELECT, INSERT, UPDATE');

-- Classification and purposes. Labels form a chain per tenant; a model's is the highest of what it was made from.

CREATE TABLE lattice (
    tenant_id uuid   NOT NULL CONSTRAINT lattice_key PRIMARY KEY REFERENCES tenant,
    levels    text[] NOT NULL CONSTRAINT lattice_levels CHECK (cardinality(levels) BETWEEN 2 AND 16)
);
COMMENT ON TABLE lattice IS 'The tenant''s own names for the levels of classification, lowest first. Without a row: public, internal, confidential, restricted.';
CALL tenant_table('lattice', 'SELECT, INSERT, UPDATE');
CALL policy_table('lattice');

CREATE TABLE asset_label (
    tenant_id uuid        NOT NULL,
    asset_id  uuid        NOT NULL,
    level     int         NOT NULL CONSTRAINT asset_label_level CHECK (level BETWEEN 0 AND 15),
    purposes  text[],
    sources   text[]      NOT NULL DEFAULT '{}',
    set_by    uuid,
    set_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT asset_label_key PRIMARY KEY (tenant_id, asset_id),
    CONSTRAINT asset_label_asset FOREIGN KEY (tenant_id, asset_id) REFERENCES asset
);
COMMENT ON TABLE asset_label IS 'How secret an asset is, and what for it may be used (NULL: anything). sources: the datasets a model''s label came from.';
CALL tenant_table('asset_label', 'SELECT, INSERT, UPDATE');
CALL policy_table('asset_label');

CREATE TABLE declassification (
    tenant_id    uuid        NOT NULL,
    id           uuid        NOT NULL,
    asset_id     uuid        NOT NULL,
    from_level   int         NOT NULL,
    level        int         NOT NULL,
    purposes     text[],
    reason       text        NOT NULL,
    requested_by uuid        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    state        text        NOT NULL DEFAULT 'pending' CONSTRAINT declassification_state CHECK (state IN ('pending', 'approved', 'rejected')),
    decided_by   uuid,
    verdict      text,
    decided_at   timestamptz,
    CONSTRAINT declassification_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT declassification_asset FOREIGN KEY (tenant_id, asset_id) REFERENCES asset,
    CONSTRAINT declassification_two CHECK (decided_by <> requested_by)
);
COMMENT ON TABLE declassification IS 'A lower label, or more purposes, that one asked for and another must grant.';
CREATE UNIQUE INDEX declassification_open ON declassification (tenant_id, asset_id) WHERE state = 'pending';
CALL tenant_table('declassification', 'SELECT, INSERT, UPDATE');

-- A label sinks, and purposes grow, only by a declassification that another than its requester has approved.
CREATE FUNCTION label_sinks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.level < OLD.level OR (OLD.purposes IS NOT NULL AND (NEW.purposes IS NULL OR NOT NEW.purposes <@ OLD.purposes)))
       AND NOT EXISTS (SELECT FROM declassification d WHERE d.tenant_id = NEW.tenant_id AND d.asset_id = NEW.asset_id
                          AND d.state = 'approved' AND d.level = NEW.level AND d.from_level = OLD.level
                          AND d.purposes IS NOT DISTINCT FROM NEW.purposes
                          AND d.decided_at >= now() - interval '1 minute')
    THEN
        RAISE EXCEPTION 'a lower label needs two people' USING ERRCODE = 'CH001', CONSTRAINT = 'label_sinks';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER label_sinks BEFORE UPDATE ON asset_label FOR EACH ROW EXECUTE FUNCTION label_sinks();

-- What a job makes is as secret as what it read, and serves no purpose that its input does not.
CREATE FUNCTION label_flows() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    source record;
BEGIN
    IF NEW.job_id IS NULL THEN
        RETURN NEW;
    END IF;
    FOR source IN
        SELECT l.level, l.purposes, k.kind || 's/' || k.name AS name FROM job j
          JOIN version v ON v.tenant_id = j.tenant_id AND v.id IN (j.input_id, j.model_id)
          JOIN asset k ON k.tenant_id = v.tenant_id AND k.id = v.asset_id
          JOIN asset_label l ON l.tenant_id = k.tenant_id AND l.asset_id = k.id
         WHERE j.tenant_id = NEW.tenant_id AND j.id = NEW.job_id AND k.id <> NEW.asset_id
    LOOP
        INSERT INTO asset_label (tenant_id, asset_id, level, purposes, sources)
        VALUES (NEW.tenant_id, NEW.asset_id, source.level, source.purposes, ARRAY[source.name])
        ON CONFLICT ON CONSTRAINT asset_label_key DO UPDATE SET
            level = greatest(asset_label.level, EXCLUDED.level),
            purposes = CASE WHEN asset_label.purposes IS NULL THEN EXCLUDED.purposes
                            WHEN EXCLUDED.purposes IS NULL THEN asset_label.purposes
                            ELSE ARRAY(SELECT unnest(asset_label.purposes) INTERSECT SELECT unnest(EXCLUDED.purposes) ORDER BY 1) END,
            sources = ARRAY(SELECT unnest(asset_label.sources) UNION SELECT unnest(EXCLUDED.sources) ORDER BY 1),
            set_at = now()
        WHERE asset_label.level < EXCLUDED.level OR NOT EXCLUDED.sources <@ asset_label.sources
           OR (EXCLUDED.purposes IS NOT NULL AND (asset_label.purposes IS NULL OR NOT asset_label.purposes <@ EXCLUDED.purposes));
    END LOOP;
    RETURN NEW;
END $$;
CREATE TRIGGER label_flows AFTER INSERT OR UPDATE OF job_id, state ON version FOR EACH ROW EXECUTE FUNCTION label_flows();

-- A training whose data shares no purpose with what its model was made from does not begin.
CREATE FUNCTION purposes_meet() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    target record;
    source record;
BEGIN
    IF NEW.kind <> 'train' OR NEW.state IN ('succeeded', 'failed', 'cancelled') THEN
        RETURN NEW;
    END IF;
    SELECT l.purposes, k.name INTO source FROM version v
      JOIN asset k ON k.tenant_id = v.tenant_id AND k.id = v.asset_id
      JOIN asset_label l ON l.tenant_id = k.tenant_id AND l.asset_id = k.id
     WHERE v.tenant_id = NEW.tenant_id AND v.id = NEW.input_id;
    SELECT l.purposes, l.sources INTO target FROM asset k
      JOIN asset_label l ON l.tenant_id = k.tenant_id AND l.asset_id = k.id
     WHERE k.tenant_id = NEW.tenant_id AND k.project_id = NEW.project_id AND k.kind = 'model'
       AND k.name = regexp_replace(NEW.spec ->> 'output', '^models/', '');
    IF source.purposes IS NOT NULL AND (cardinality(source.purposes) = 0
       OR (target.purposes IS NOT NULL AND NOT source.purposes && target.purposes))
    THEN
        RAISE EXCEPTION 'datasets/% (for %) and % (for %) serve no common purpose', source.name,
            array_to_string(source.purposes, ', '), array_to_string(target.sources, ', '), array_to_string(target.purposes, ', ')
            USING ERRCODE = 'CH004', CONSTRAINT = 'purposes_meet';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER purposes_meet BEFORE INSERT OR UPDATE OF state ON job FOR EACH ROW EXECUTE FUNCTION purposes_meet();

-- Tags are part of the policy only where a condition asks for them.
CREATE FUNCTION tags_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM binding b WHERE b.tenant_id = current_tenant() AND b.condition LIKE '%tag.%') THEN
        PERFORM authz_move(current_tenant());
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER tags_changed AFTER INSERT OR UPDATE OF tags ON asset FOR EACH STATEMENT EXECUTE FUNCTION tags_changed();

-- How fast a tenant may ask.

CREATE TABLE tenant_limit (
    tenant_id uuid   NOT NULL CONSTRAINT tenant_limit_key PRIMARY KEY CONSTRAINT tenant_limit_tenant REFERENCES tenant,
    tenant    bigint CONSTRAINT tenant_limit_all CHECK (tenant > 0),
    principal bigint CONSTRAINT tenant_limit_principal CHECK (principal > 0),
    read      bigint CONSTRAINT tenant_limit_read CHECK (read > 0),
    write     bigint CONSTRAINT tenant_limit_write CHECK (write > 0),
    heavy     bigint CONSTRAINT tenant_limit_heavy CHECK (heavy > 0),
    auth      bigint CONSTRAINT tenant_limit_auth CHECK (auth > 0),
    invoke    bigint CONSTRAINT tenant_limit_invoke CHECK (invoke > 0)
);
COMMENT ON TABLE tenant_limit IS 'Rates a second that a tenant''s admin has set; null, or no row: those of the installation.';
CALL tenant_table('tenant_limit', 'SELECT, INSERT, UPDATE', true);

CREATE FUNCTION tenant_limits() RETURNS TABLE (tenant_id uuid, tenant bigint, principal bigint, read bigint, write bigint,
                                               heavy bigint, auth bigint, invoke bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = chancery, pg_temp
    AS $$ SELECT l.tenant_id, coalesce(l.tenant, 0), coalesce(l.principal, 0), coalesce(l.read, 0), coalesce(l.write, 0),
                 coalesce(l.heavy, 0), coalesce(l.auth, 0), coalesce(l.invoke, 0) FROM tenant_limit l $$;
COMMENT ON FUNCTION tenant_limits IS 'definer: each replica asks for the limits of all tenants once a second.';
