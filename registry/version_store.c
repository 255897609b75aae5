/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/version.h"

#include <string.h>

#define VERSION_SHOWN                                                                              \
    TEXT(struct version, id, 36), TEXT(struct version, kind, 16), NAME(struct version, project),   \
        NAME(struct version, asset), INT(struct version, number, 1, INT32_MAX),                    \
        TEXT(struct version, state, 10), OPT_TEXT(struct version, description, 2000),              \
        OBJECT(struct version, tags), TEXT(struct version, digest, 64),                            \
        INT(struct version, size, 0, INT64_MAX), OBJECT(struct version, manifest),                 \
        TEXT(struct version, job, 36), TEXTS(struct version, aliases, 1000),                       \
        INT(struct version, revision, 1, INT64_MAX), NAME(struct version, created_by),             \
        TIME(struct version, created_at), TIME(struct version, ready_at),                          \
        OPT_OBJECT(struct version, origin)

const struct field version_fields[] = {VERSION_SHOWN, FIELDS_END};

static const struct field version_columns[] = {
    VERSION_SHOWN,
    TEXT(struct version, asset_id, 36),
    TEXT(struct version, author_id, 36),
    FIELDS_END,
};

/* Approvals of the origin are told without their evidence, and count for nothing here. */
#define ORIGIN_SELECT                                                                              \
    "(SELECT json_build_object('log', o.origin, 'key', o.signer, 'version', o.node,"               \
    " 'bundle', encode(o.bundle, 'hex'), 'created_by', o.facts -> 'created_by',"                   \
    " 'contributors', o.facts -> 'contributors', 'created_at', o.facts -> 'created_at',"           \
    " 'approvals', (SELECT coalesce(json_agg(json_build_object('id', x -> 'id',"                   \
    "   'action', x -> 'action', 'alias', x -> 'alias', 'state', x -> 'state',"                    \
    "   'requested_by', x -> 'requested_by', 'evidence_digest', x -> 'evidence_digest',"           \
    "   'decisions', x -> 'decisions')), '[]')"                                                    \
    "  FROM json_array_elements(o.facts -> 'approvals') x))"                                       \
    " FROM version_origin o WHERE o.tenant_id = v.tenant_id AND o.version_id = v.id"               \
    " AND o.digest = v.digest) AS origin"
#define VERSION_SELECT                                                                             \
    "SELECT v.id, a.kind, p.name AS project, a.name AS asset, v.number, v.state, v.description,"   \
    " v.tags, v.digest, v.size, v.manifest, v.job_id AS job, ARRAY (SELECT l.name FROM alias l"    \
    "  WHERE l.tenant_id = v.tenant_id AND l.asset_id = v.asset_id AND l.version_id = v.id "       \
    "AND " ALIAS_HOLDS                                                                             \
    "  ORDER BY l.name) AS aliases, v.revision, u.name AS created_by, v.created_at, v.ready_at,"   \
    " v.asset_id, v.created_by AS author_id, " ORIGIN_SELECT                                       \
    " FROM version v JOIN asset a ON a.tenant_id = v.tenant_id AND a.id = v.asset_id"              \
    " JOIN project p ON p.tenant_id = a.tenant_id AND p.id = a.project_id"                         \
    " JOIN principal u ON u.tenant_id = v.tenant_id AND u.id = v.created_by"                       \
    " WHERE v.tenant_id = current_tenant() AND v.state <> 'deleted' AND a.state = 'active'"
#define VERSION_KEY                                                                                \
    " AND a.project_id = $1::uuid AND a.kind = $2 AND a.name = $3"                                 \
    " AND (v.number = $4::int OR v.id = (SELECT l.version_id FROM alias l"                         \
    "  WHERE l.tenant_id = a.tenant_id AND l.asset_id = a.id AND l.name = $5 AND " ALIAS_HOLDS     \
    "))"

QUERY(version_get_sql, VERSION_SELECT VERSION_KEY);
QUERY(version_lock_sql, VERSION_SELECT VERSION_KEY " FOR UPDATE OF v");

static enum err by_key(struct db *db, const struct query *q, const char *project_id,
                       const struct version_key *key, struct version *out)
{
    return db_one(db, q, version_columns, out,
                  PARAMS(P_TEXT(project_id), P_TEXT(key->kind), P_TEXT(key->asset),
                         P_INT(key->number), P_TEXT(key->alias)));
}

enum err version_get(struct db *db, const char *project_id, const struct version_key *key,
                     struct version *out)
{
    return by_key(db, &version_get_sql, project_id, key, out);
}

enum err version_lock(struct db *db, const char *project_id, const struct version_key *key,
                      struct version *out)
{
    return by_key(db, &version_lock_sql, project_id, key, out);
}

enum err version_find(struct db *db, const char *project_id, const char *path, struct version *out)
{
    struct version_key key;

    if (!version_key_parse(db->arena, path, &key))
        return ERR_NOT_FOUND;
    return version_get(db, project_id, &key, out);
}

QUERY(version_by_id_sql, VERSION_SELECT " AND v.id = $1::uuid");

enum err version_by_id(struct db *db, const char *id, struct version *out)
{
    return db_one(db, &version_by_id_sql, version_columns, out, PARAMS(P_TEXT(id)));
}

QUERY(version_list_sql, VERSION_SELECT
      " AND a.project_id = $1::uuid AND a.kind = $2 AND a.name = $3 AND v.number < $4::bigint"
      " ORDER BY v.number DESC LIMIT $5::bigint");

enum err version_list(struct db *db, const char *project_id, const struct version_key *of,
                      int64_t before, int64_t limit, struct rows *out)
{
    return db_list(db, &version_list_sql, version_columns, sizeof(struct version), out,
                   PARAMS(P_TEXT(project_id), P_TEXT(of->kind), P_TEXT(of->asset), P_INT(before),
                          P_INT(limit)));
}

/* One statement, so that a number is never given twice nor lost to a gap by a rollback. */
QUERY(
    version_create_sql,
    "WITH n AS (UPDATE asset SET versions = coalesce(nullif($10::int, 0), versions + 1)"
    " WHERE tenant_id = current_tenant() AND project_id = $2::uuid AND kind = $3 AND name = $4"
    " AND state = 'active' AND ($10::int = 0 OR $10::int > versions)"
    " RETURNING tenant_id, id, versions)"
    " INSERT INTO version (tenant_id, id, asset_id, number, description, tags, created_by, job_id,"
    " manifest) SELECT n.tenant_id, $1::uuid, n.id, n.versions, coalesce($5, ''), "
    "coalesce($6::jsonb, '{}'),"
    " $7::uuid, $8::uuid, $9::json FROM n");

enum err version_create(struct db *db, const struct version_draft *draft, struct version *out)
{
    char id[ID_SIZE];

    id_new(id);
    TRY(db_change(db, &version_create_sql,
                  PARAMS(P_TEXT(id), P_TEXT(draft->project_id), P_TEXT(draft->kind),
                         P_TEXT(draft->asset), P_TEXT(draft->description), P_JSON(draft->tags),
                         P_TEXT(draft->author_id), P_TEXT(draft->job_id), P_JSON(draft->manifest),
                         P_INT(draft->number))));
    return version_by_id(db, id, out);
}

QUERY(version_update_sql,
      "UPDATE version SET description = $2, tags = $3::jsonb, revision = revision + 1"
      " WHERE tenant_id = current_tenant() AND id = $1::uuid");

enum err version_update(struct db *db, const struct version *v)
{
    return db_change(db, &version_update_sql,
                     PARAMS(P_TEXT(v->id), P_TEXT(v->description), P_JSON(v->tags)));
}

QUERY(version_files_delete,
      "DELETE FROM version_file WHERE tenant_id = current_tenant() AND version_id = $1::uuid");
QUERY(version_draft_delete, "DELETE FROM version WHERE tenant_id = current_tenant()"
                            " AND id = $1::uuid AND state = 'pending'");
QUERY(version_hide, "UPDATE version SET state = 'deleted', deleted_at = now(),"
                    " revision = revision + 1 WHERE tenant_id = current_tenant()"
                    " AND id = $1::uuid AND state = 'ready'");
/* What was asked for cannot be granted any more. */
QUERY(version_void,
      "UPDATE approval SET state = 'void', closed_at = now() WHERE"
      " tenant_id = current_tenant() AND version_id = $1::uuid AND state = 'pending'");

enum err version_delete(struct db *db, const struct version *v)
{
    if (strcmp(v->state, "ready") == 0) {
        TRY(db_defer_any(db, &version_void, PARAMS(P_TEXT(v->id))));
        return db_change(db, &version_hide, PARAMS(P_TEXT(v->id)));
    }
    TRY(db_defer_any(db, &version_files_delete, PARAMS(P_TEXT(v->id))));
    return db_change(db, &version_draft_delete, PARAMS(P_TEXT(v->id)));
}

struct served {
    const char *name;
};

static const struct field served_fields[] = {
    NAME(struct served, name),
    FIELDS_END,
};

QUERY(version_served_sql,
      "SELECT e.name FROM deployment d"
      " JOIN endpoint e ON e.tenant_id = d.tenant_id AND e.id = d.endpoint_id"
      " WHERE d.tenant_id = current_tenant() AND d.version_id = $1::uuid AND d.ended_at IS NULL"
      " ORDER BY e.name LIMIT 1");

enum err version_served(struct db *db, const struct version *v, const char **endpoint)
{
    struct served s;

    TRY(db_one(db, &version_served_sql, served_fields, &s, PARAMS(P_TEXT(v->id))));
    *endpoint = s.name;
    return OK;
}
