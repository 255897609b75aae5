/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/asset.h"

#include "auth/auth.h"
#include "core/db_ahead.h"
#include "registry/version.h"

#define ASSET_SHOWN                                                                                \
    TEXT(struct asset, id, 36), TEXT(struct asset, kind, 16), NAME(struct asset, name),            \
        NAME(struct asset, project), OPT_TEXT(struct asset, description, 2000),                    \
        OBJECT(struct asset, tags), INT(struct asset, versions, 0, INT32_MAX),                     \
        OBJECT(struct asset, aliases), TEXT(struct asset, state, 10),                              \
        INT(struct asset, revision, 1, INT64_MAX), NAME(struct asset, created_by),                 \
        TIME(struct asset, created_at), TIME(struct asset, updated_at)

const struct field asset_fields[] = {ASSET_SHOWN, FIELDS_END};
const struct field asset_listed_fields[] = {ASSET_SHOWN, OPT_TEXT(struct asset, shared_from, 63),
                                            FIELDS_END};

static const struct field list_columns[] = {ASSET_SHOWN, OPT_TEXT(struct asset, shared_from, 63),
                                            TEXT(struct asset, key, 130), FIELDS_END};

#define ASSET_COLUMNS                                                                              \
    "SELECT a.id, a.kind, a.name, p.name AS project, a.description, a.tags, a.versions, a.state,"  \
    " (SELECT coalesce(jsonb_object_agg(l.name, v.number), '{}') FROM alias l"                     \
    "   JOIN version v ON v.tenant_id = l.tenant_id AND v.id = l.version_id"                       \
    "  WHERE l.tenant_id = a.tenant_id AND l.asset_id = a.id AND " ALIAS_HOLDS ") AS aliases,"     \
    " a.revision, u.name AS created_by, a.created_at, a.updated_at"
#define ASSET_FROM                                                                                 \
    " FROM asset a JOIN project p ON p.tenant_id = a.tenant_id AND p.id = a.project_id"            \
    " JOIN principal u ON u.tenant_id = a.tenant_id AND u.id = a.created_by"
#define ASSET_HERE                                                                                 \
    " WHERE a.tenant_id = current_tenant() AND a.project_id = $1::uuid AND a.kind = $2"
#define ASSET_SELECT ASSET_COLUMNS ASSET_FROM ASSET_HERE

QUERY(asset_find_sql, ASSET_SELECT " AND a.name = $3");
QUERY(asset_lock_sql, ASSET_SELECT " AND a.name = $3 FOR UPDATE OF a");

enum err asset_find(struct db *db, const char *project_id, const char *kind, const char *name,
                    struct asset *out)
{
    return db_one(db, &asset_find_sql, asset_fields, out,
                  PARAMS(P_TEXT(project_id), P_TEXT(kind), P_TEXT(name)));
}

void asset_find_ahead(struct db *db, const char *tenant, const char *project_id, const char *kind,
                      const char *name)
{
    db_ahead(db, tenant, &asset_find_sql, PARAMS(P_TEXT(project_id), P_TEXT(kind), P_TEXT(name)));
}

enum err asset_lock(struct db *db, const char *project_id, const char *kind, const char *name,
                    struct asset *out)
{
    return db_one(db, &asset_lock_sql, asset_fields, out,
                  PARAMS(P_TEXT(project_id), P_TEXT(kind), P_TEXT(name)));
}

/* Among the project's own, what others share with it as a whole: after one of the same name. */
#define ASSET_SEARCHED                                                                             \
    " AND a.state = $3 AND starts_with(a.name, coalesce($4, ''))"                                  \
    " AND a.tags @> coalesce($5::jsonb, '{}')"
#define SHARED_KEY "(a.name || '@' || p.name)"
QUERY(asset_list_sql,
      "(" ASSET_COLUMNS
      ", NULL::text AS shared_from, a.name AS key" ASSET_FROM ASSET_HERE ASSET_SEARCHED
      " AND a.name > coalesce($6, '')" READABLE("a.name", "8", "9", "10")                    //
      " ORDER BY a.name LIMIT $7::bigint) UNION ALL (" ASSET_COLUMNS ", p.name, " SHARED_KEY //
          ASSET_FROM " JOIN asset_share s ON s.tenant_id = a.tenant_id AND s.asset_id = a.id"
      " AND s.project_id = $1::uuid AND s.state = 'active' AND s.version IS NULL"
      " WHERE a.tenant_id = current_tenant() AND a.kind = $2 AND a.state = 'active'"
      " AND p.state = 'active'" ASSET_SEARCHED " AND " SHARED_KEY " > coalesce($6, '')"
      " AND (p.name = ANY ($11::text[]) OR p.name || '/' || a.kind || 's/' || a.name"
      "  = ANY ($12::text[])) AND NOT p.name || '/' || a.kind || 's/' || a.name = ANY ($13::text[])"
      " ORDER BY " SHARED_KEY " LIMIT $7::bigint) ORDER BY key LIMIT $7::bigint");

enum err asset_list(struct db *db, const char *project_id, const struct asset_search *s,
                    struct rows *out)
{
    return db_list(db, &asset_list_sql, list_columns, sizeof(struct asset), out,
                   PARAMS(P_TEXT(project_id), P_TEXT(s->kind), P_TEXT(s->state), P_TEXT(s->q),
                          P_JSON(s->tags), P_TEXT(s->after), P_INT(s->limit),
                          READABLE_PARAMS(s->readable), READABLE_THINGS_PARAMS(&s->may)));
}

QUERY(asset_create_sql,
      "INSERT INTO asset (tenant_id, id, project_id, kind, name, description, tags, created_by)"
      " VALUES (current_tenant(), $1::uuid, $2::uuid, $3, $4, $5, coalesce($6::jsonb, '{}'),"
      " $7::uuid)"
      " ON CONFLICT (tenant_id, project_id, kind, name) DO NOTHING");

enum err asset_create(struct db *db, const char *project_id, const struct asset *a, const char *by)
{
    char id[ID_SIZE];
    int64_t rows;

    id_new(id);
    TRY(db_run(db, &asset_create_sql, &rows,
               PARAMS(P_TEXT(id), P_TEXT(project_id), P_TEXT(a->kind), P_TEXT(a->name),
                      P_TEXT(a->description), P_JSON(a->tags), P_TEXT(by))));
    return rows == 1 ? OK : ERR_RETRY;
}

QUERY(
    asset_renew_sql,
    "UPDATE asset SET state = 'active', description = $2, tags = $3::jsonb, created_by = $4::uuid,"
    " created_at = now(), updated_at = now(), deleted_at = NULL, revision = revision + 1"
    " WHERE tenant_id = current_tenant() AND id = $1::uuid AND state = 'purged'");

enum err asset_renew(struct db *db, const struct asset *a, const char *by)
{
    return db_change(db, &asset_renew_sql,
                     PARAMS(P_TEXT(a->id), P_TEXT(a->description), P_JSON(a->tags), P_TEXT(by)));
}

QUERY(asset_update_sql,
      "UPDATE asset SET description = $2, tags = $3::jsonb, updated_at = now(),"
      " revision = revision + 1 WHERE tenant_id = current_tenant() AND id = $1::uuid");

enum err asset_update(struct db *db, const struct asset *a)
{
    return db_change(db, &asset_update_sql,
                     PARAMS(P_TEXT(a->id), P_TEXT(a->description), P_JSON(a->tags)));
}

QUERY(asset_tag_sql,
      "UPDATE asset SET tags = tags || jsonb_build_object($4::text, $5::text), updated_at = now(),"
      " revision = revision + 1 WHERE tenant_id = current_tenant() AND project_id = $1::uuid"
      " AND kind = $2 AND name = $3 AND state = 'active'");

enum err asset_set_tag(struct db *db, const char *project_id, const struct asset *a,
                       const char *key, const char *value)
{
    return db_defer(
        db, &asset_tag_sql,
        PARAMS(P_TEXT(project_id), P_TEXT(a->kind), P_TEXT(a->name), P_TEXT(key), P_TEXT(value)));
}

QUERY(asset_state_sql,
      "UPDATE asset SET state = $2, deleted_at = CASE WHEN $2 = 'active' THEN NULL ELSE now() END,"
      " updated_at = now(), revision = revision + 1"
      " WHERE tenant_id = current_tenant() AND id = $1::uuid");

enum err asset_set_state(struct db *db, const struct asset *a, const char *state)
{
    return db_change(db, &asset_state_sql, PARAMS(P_TEXT(a->id), P_TEXT(state)));
}

struct words {
    const char *what;
};

static const struct field words_fields[] = {
    TEXT(struct words, what, 1000),
    FIELDS_END,
};

static enum err say(struct db *db, const struct query *q, const struct asset *a, const char **out)
{
    struct words w;

    TRY(db_one(db, q, words_fields, &w, PARAMS(P_TEXT(a->id))));
    *out = w.what;
    return OK;
}

QUERY(asset_served_sql,
      "SELECT e.name AS what FROM version v"
      " JOIN deployment d ON d.tenant_id = v.tenant_id AND d.version_id = v.id"
      " JOIN endpoint e ON e.tenant_id = d.tenant_id AND e.id = d.endpoint_id"
      " WHERE v.tenant_id = current_tenant() AND v.asset_id = $1::uuid AND d.ended_at IS NULL"
      " ORDER BY e.name LIMIT 1");

enum err asset_served(struct db *db, const struct asset *a, const char **endpoint)
{
    return say(db, &asset_served_sql, a, endpoint);
}

QUERY(asset_referred_sql,
      "WITH v AS (SELECT v.tenant_id, v.id, v.number, format('projects/%s/%ss/%s/versions/%s',"
      "   p.name, a.kind, a.name, v.number) AS node FROM version v"
      "   JOIN asset a ON a.tenant_id = v.tenant_id AND a.id = v.asset_id"
      "   JOIN project p ON p.tenant_id = a.tenant_id AND p.id = a.project_id"
      "   WHERE v.tenant_id = current_tenant() AND v.asset_id = $1::uuid),"
      " r AS (SELECT v.number, 'approval ' || x.id AS what FROM v"
      "   JOIN approval x ON x.tenant_id = v.tenant_id AND x.version_id = v.id"
      "  UNION ALL SELECT v.number, 'deployment ' || x.id FROM v"
      "   JOIN deployment x ON x.tenant_id = v.tenant_id AND x.version_id = v.id"
      "  UNION ALL SELECT v.number, 'job ' || x.id FROM v JOIN job x"
      "   ON x.tenant_id = v.tenant_id AND v.id IN (x.input_id, x.model_id, x.output_id)"
      "  UNION ALL SELECT v.number, 'the lineage of ' || v.node FROM v JOIN lineage_node n"
      "   ON n.tenant_id = v.tenant_id AND n.name = v.node WHERE EXISTS (SELECT FROM lineage_edge e"
      "   WHERE e.tenant_id = n.tenant_id AND n.id IN (e.src, e.dst)))"
      " SELECT format('version %s is referred to by %s', number, what) AS what"
      " FROM r ORDER BY number, r.what LIMIT 1");

enum err asset_referred(struct db *db, const struct asset *a, const char **what)
{
    return say(db, &asset_referred_sql, a, what);
}

#define OF_ASSET                                                                                   \
    " WHERE tenant_id = current_tenant() AND version_id IN (SELECT id FROM version"                \
    " WHERE tenant_id = current_tenant() AND asset_id = $1::uuid)"

QUERY(asset_purge_aliases,
      "DELETE FROM alias WHERE tenant_id = current_tenant() AND asset_id = $1::uuid");
QUERY(asset_purge_uploads, "DELETE FROM upload" OF_ASSET);
QUERY(asset_purge_files, "DELETE FROM version_file" OF_ASSET);
QUERY(asset_purge_versions,
      "DELETE FROM version WHERE tenant_id = current_tenant() AND asset_id = $1::uuid");
QUERY(asset_purge_words, "UPDATE asset SET description = '', tags = '{}', state = 'purged',"
                         " updated_at = now(), revision = revision + 1"
                         " WHERE tenant_id = current_tenant() AND id = $1::uuid");

enum err asset_purge(struct db *db, const struct asset *a)
{
    TRY(db_defer_any(db, &asset_purge_aliases, PARAMS(P_TEXT(a->id))));
    TRY(db_defer_any(db, &asset_purge_uploads, PARAMS(P_TEXT(a->id))));
    TRY(db_defer_any(db, &asset_purge_files, PARAMS(P_TEXT(a->id))));
    TRY(db_defer_any(db, &asset_purge_versions, PARAMS(P_TEXT(a->id))));
    return db_change(db, &asset_purge_words, PARAMS(P_TEXT(a->id)));
}
