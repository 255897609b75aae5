-- The catalogue across projects: words of assets, what is shared with other projects.

ALTER TABLE asset ADD COLUMN path text COLLATE "C" NOT NULL;
COMMENT ON COLUMN asset.path IS 'As "credit/models/risk": what the catalogue is ordered by.';
CREATE FUNCTION asset_path() RETURNS trigger LANGUAGE plpgsql SET search_path = chancery, pg_temp AS $$
BEGIN
    NEW.path := (SELECT p.name FROM project p WHERE p.tenant_id = NEW.tenant_id AND p.id = NEW.project_id) || '/' || NEW.kind || 's/' || NEW.name;
    IF NEW.path IS NULL THEN -- the foreign key says so better
        NEW.path := '';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER asset_path BEFORE INSERT OR UPDATE OF name, kind, project_id ON asset FOR EACH ROW EXECUTE FUNCTION asset_path();
CREATE INDEX asset_by_path ON asset (tenant_id, path) WHERE state = 'active';

-- What is no word of a text has a colon in it: no search for words can ask for that.
CREATE FUNCTION asset_words(tenant uuid, kind text, name text, description text, tags jsonb) RETURNS tsvector
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = chancery, pg_temp AS $$
DECLARE
    marks text[] := ARRAY['i:' || tenant, 'k:' || kind, 'n:' || name];
BEGIN -- not in SQL, which would be parsed and planned again at every change of an asset
    marks := marks || ARRAY(SELECT 't:' || md5(t.key || chr(31) || t.value) FROM jsonb_each_text(tags) t);
    RETURN to_tsvector('simple', translate(name, '._-', '   ')) || to_tsvector('simple', name) || to_tsvector('simple', description)
           || jsonb_to_tsvector('simple', tags, '["key", "string"]') || array_to_tsvector(marks);
END $$;
COMMENT ON FUNCTION asset_words IS 'Words of name, description and tags; the tenant, so that the index keeps tenants apart; kind, whole name, whole tags.';
ALTER TABLE asset ADD COLUMN search tsvector NOT NULL GENERATED ALWAYS AS (asset_words(tenant_id, kind, name, description, tags)) STORED;
COMMENT ON COLUMN asset.search IS 'See asset_words.';
CREATE INDEX asset_by_words ON asset USING gin (search) WHERE state = 'active';
CREATE POLICY definer ON asset TO chancery_owner USING (true) WITH CHECK (true);

CREATE FUNCTION asset_query(tenant uuid, asked text, in_kind text, tags jsonb) RETURNS tsquery
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = chancery, pg_temp AS $$
DECLARE
    whole tsquery := format('''i:%s''', tenant)::tsquery;
    words tsquery := websearch_to_tsquery('simple', asked);
    mark text;
BEGIN
    IF asked ~ '^[a-z0-9][a-z0-9._-]{0,62}$' THEN
        words := words || format('''n:%s'':*', asked)::tsquery;
    END IF;
    IF asked IS NOT NULL AND numnode(words) = 0 THEN
        RETURN ''::tsquery; -- asks for nothing that is a word, and finds nothing
    END IF;
    IF asked IS NOT NULL THEN
        whole := whole && words;
    END IF;
    IF in_kind IS NOT NULL THEN
        whole := whole && format('''k:%s''', in_kind)::tsquery;
    END IF;
    FOR mark IN SELECT md5(t.key || chr(31) || t.value) FROM jsonb_each_text(tags) t LOOP
        whole := whole && format('''t:%s''', mark)::tsquery;
    END LOOP;
    RETURN whole;
END $$;
COMMENT ON FUNCTION asset_query IS 'What asset_words has to have: words, "quoted ones", -not this, or the beginning of a name; a kind; whole tags.';

-- Bitmaps only: a wrong estimate would have it read all assets.
CREATE FUNCTION asset_search(wanted uuid, asked text, in_kind text, with_tags jsonb, most bigint) RETURNS TABLE (id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = chancery, pg_temp SET enable_indexscan = off SET enable_seqscan = off AS $$
    SELECT a.id FROM asset a
     WHERE a.tenant_id = wanted AND wanted = current_tenant() AND a.state = 'active'
       AND a.search @@ (SELECT asset_query(wanted, asked, in_kind, with_tags))
     LIMIT most $$;
COMMENT ON FUNCTION asset_search IS 'definer: names the tenant and finds its assets by words, kind and tags; row level security would keep @@ out of the index.';

-- Assets of one project that another may read, as the owner's, once both sides have agreed.

ALTER TABLE asset ADD CONSTRAINT asset_of_project UNIQUE (tenant_id, id, project_id);

CREATE TABLE asset_share (
    tenant_id    uuid        NOT NULL,
    id           uuid        NOT NULL,
    asset_id     uuid        NOT NULL,
    owner_id     uuid        NOT NULL,
    version      int,
    project_id   uuid        NOT NULL,
    by_alias     boolean     NOT NULL DEFAULT false,
    state        text        NOT NULL CONSTRAINT asset_share_state CHECK (state IN ('asked', 'offered', 'active', 'refused', 'ended')),
    reason       text        NOT NULL,
    requested_by uuid        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    decided_by   uuid,
    answer       text,
    decided_at   timestamptz,
    ended_by     uuid,
    ended_at     timestamptz,
    revision     bigint      NOT NULL DEFAULT 1,
    CONSTRAINT asset_share_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT asset_share_asset FOREIGN KEY (tenant_id, asset_id, owner_id) REFERENCES asset (tenant_id, id, project_id),
    CONSTRAINT asset_share_version FOREIGN KEY (tenant_id, asset_id, version) REFERENCES version (tenant_id, asset_id, number),
    CONSTRAINT asset_share_project FOREIGN KEY (tenant_id, project_id) REFERENCES project,
    CONSTRAINT asset_share_requester FOREIGN KEY (tenant_id, requested_by) REFERENCES principal,
    CONSTRAINT asset_share_decider FOREIGN KEY (tenant_id, decided_by) REFERENCES principal,
    CONSTRAINT asset_share_ender FOREIGN KEY (tenant_id, ended_by) REFERENCES principal,
    CONSTRAINT asset_share_elsewhere CHECK (owner_id <> project_id),
    CONSTRAINT asset_share_alias CHECK (NOT by_alias OR version IS NULL),
    CONSTRAINT asset_share_decided CHECK (state NOT IN ('active', 'refused') OR decided_by IS NOT NULL),
    CONSTRAINT asset_share_ended CHECK ((state = 'ended') = (ended_by IS NOT NULL))
);
COMMENT ON TABLE asset_share IS 'A reference: while active, whoever may read in project_id reads the asset, or its one version, where it lies.';
COMMENT ON COLUMN asset_share.version IS 'NULL: the asset with all versions it has and will have.';
COMMENT ON COLUMN asset_share.by_alias IS 'The other project may ask for it by alias, and so get what the owner moves that to.';
CREATE UNIQUE INDEX asset_share_once ON asset_share (tenant_id, asset_id, project_id, coalesce(version, 0))
    WHERE state IN ('asked', 'offered', 'active');
CREATE INDEX asset_share_by_project ON asset_share (tenant_id, project_id, id);
CREATE INDEX asset_share_by_owner ON asset_share (tenant_id, owner_id, id);
CALL tenant_table('asset_share', 'SELECT, INSERT, UPDATE, DELETE');

-- What was agreed is not rewritten, and one person, with the service accounts they own, is not both sides.
CREATE FUNCTION share_two_people() RETURNS trigger LANGUAGE plpgsql SET search_path = chancery, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state NOT IN ('asked', 'offered') THEN
            RAISE EXCEPTION 'a share begins with a question' USING ERRCODE = 'CH001', CONSTRAINT = 'share_two_people';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.asset_id, NEW.owner_id, NEW.version, NEW.project_id, NEW.by_alias, NEW.requested_by, NEW.reason)
       IS DISTINCT FROM (OLD.asset_id, OLD.owner_id, OLD.version, OLD.project_id, OLD.by_alias, OLD.requested_by, OLD.reason)
       OR NOT (OLD.state IN ('asked', 'offered') AND NEW.state IN ('active', 'refused', 'ended')
               OR (OLD.state = 'active' AND NEW.state = 'ended'))
    THEN
        RAISE EXCEPTION 'a share cannot be rewritten' USING ERRCODE = 'CH003', CONSTRAINT = 'share_two_people';
    END IF;
    IF NEW.state IN ('active', 'refused') AND EXISTS (
        SELECT FROM principal a JOIN principal b ON b.tenant_id = a.tenant_id AND coalesce(b.owner_id, b.id) = coalesce(a.owner_id, a.id)
         WHERE a.tenant_id = NEW.tenant_id AND a.id = NEW.requested_by AND b.id = NEW.decided_by)
    THEN
        RAISE EXCEPTION 'nobody agrees with themselves' USING ERRCODE = 'CH001', CONSTRAINT = 'share_two_people';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER share_two_people BEFORE INSERT OR UPDATE ON asset_share FOR EACH ROW EXECUTE FUNCTION share_two_people();
CREATE TRIGGER authz_changed AFTER UPDATE OF state ON asset_share
    FOR EACH ROW WHEN (OLD.state = 'active' OR NEW.state = 'active') EXECUTE FUNCTION authz_changed();
CREATE TRIGGER authz_forgotten AFTER DELETE ON asset_share
    FOR EACH ROW WHEN (OLD.state = 'active') EXECUTE FUNCTION authz_changed();

CREATE FUNCTION share_stands(of_asset uuid, of_version int, of_project uuid) RETURNS boolean LANGUAGE sql STABLE
    SET search_path = chancery, pg_temp AS $$
    SELECT EXISTS (SELECT FROM asset_share s WHERE s.tenant_id = current_tenant() AND s.asset_id = of_asset
                      AND s.project_id = of_project AND s.state = 'active' AND coalesce(s.version, of_version) = of_version)
$$;
COMMENT ON FUNCTION share_stands IS 'May the project use that version of an asset of another?';

-- A job reads what lies in its own project, or what is shared with that: to its end.
CREATE FUNCTION job_shared() RETURNS trigger LANGUAGE plpgsql SET search_path = chancery, pg_temp AS $$
BEGIN
    PERFORM FROM asset_share s JOIN version v ON v.tenant_id = s.tenant_id AND v.asset_id = s.asset_id
      WHERE s.tenant_id = NEW.tenant_id AND s.project_id = NEW.project_id AND v.id IN (NEW.input_id, NEW.model_id)
        FOR SHARE OF s;
    IF EXISTS (SELECT FROM version v JOIN asset a ON a.tenant_id = v.tenant_id AND a.id = v.asset_id
                WHERE v.tenant_id = NEW.tenant_id AND v.id IN (NEW.input_id, NEW.model_id) AND a.project_id <> NEW.project_id
                  AND NOT share_stands(a.id, v.number, NEW.project_id))
    THEN
        RAISE EXCEPTION 'the input is of another project and not shared' USING ERRCODE = 'CH002', CONSTRAINT = 'job_shared';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER job_shared BEFORE INSERT ON job FOR EACH ROW EXECUTE FUNCTION job_shared();

CREATE FUNCTION share_ended() RETURNS trigger LANGUAGE plpgsql SET search_path = chancery, pg_temp AS $$
BEGIN
    UPDATE job j SET cancel = true, message = 'what it reads is no longer shared with its project'
      FROM version v
     WHERE j.tenant_id = NEW.tenant_id AND j.project_id = NEW.project_id AND j.state IN ('waiting', 'queued', 'running')
       AND v.tenant_id = j.tenant_id AND v.id IN (j.input_id, j.model_id) AND v.asset_id = NEW.asset_id
       AND NOT share_stands(NEW.asset_id, v.number, NEW.project_id);
    RETURN NULL;
END $$;
CREATE TRIGGER share_ended AFTER UPDATE OF state ON asset_share
    FOR EACH ROW WHEN (OLD.state = 'active' AND NEW.state = 'ended') EXECUTE FUNCTION share_ended();

-- Searches of the catalogue that somebody has named.

CREATE TABLE saved_view (
    tenant_id   uuid        NOT NULL,
    id          uuid        NOT NULL,
    name        text        NOT NULL CONSTRAINT saved_view_name CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    shared      text        NOT NULL CONSTRAINT saved_view_shared CHECK (shared IN ('private', 'project', 'tenant')),
    place_id    uuid        NOT NULL,
    project_id  uuid,
    owner_id    uuid        NOT NULL,
    description text        NOT NULL DEFAULT '',
    q           text,
    kind        text,
    tag         text,
    in_project  text,
    revision    bigint      NOT NULL DEFAULT 1,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT saved_view_key PRIMARY KEY (tenant_id, id),
    CONSTRAINT saved_view_by_name UNIQUE (tenant_id, shared, place_id, name),
    CONSTRAINT saved_view_project FOREIGN KEY (tenant_id, project_id) REFERENCES project,
    CONSTRAINT saved_view_owner FOREIGN KEY (tenant_id, owner_id) REFERENCES principal,
    CONSTRAINT saved_view_place CHECK (place_id = CASE shared WHEN 'private' THEN owner_id WHEN 'project' THEN project_id ELSE tenant_id END)
);
COMMENT ON TABLE saved_view IS 'A question, not an answer: whoever runs it sees what they may read, as by asking it themselves.';
COMMENT ON COLUMN saved_view.place_id IS 'Where the name means this: the owner''s, the project''s or the tenant''s views.';
CALL tenant_table('saved_view', 'SELECT, INSERT, UPDATE, DELETE');
