/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/share.h"

#include "registry/asset.h"

#include <string.h>

/* clang-format off */
#define SHARE_SHOWN                                                                                \
    TEXT(struct share, id, 36), TEXT(struct share, asset, 80),                                     \
        INT(struct share, version, 0, INT32_MAX), OPT_TEXT(struct share, digest, 64),              \
        NAME(struct share, project), NAME(struct share, with), BOOL(struct share, by_alias),       \
        TEXT(struct share, state, 10), TEXT(struct share, reason, 2000),                           \
        NAME(struct share, requested_by), TIME(struct share, created_at),                          \
        OPT_TEXT(struct share, decided_by, 63), OPT_TEXT(struct share, answer, 2000),              \
        OPT_TIME(struct share, decided_at), OPT_TEXT(struct share, ended_by, 63),                  \
        OPT_TIME(struct share, ended_at), INT(struct share, revision, 1, INT64_MAX)
/* clang-format on */

const struct field share_fields[] = {SHARE_SHOWN, FIELDS_END};

static const struct field share_columns[] = {
    SHARE_SHOWN,
    TEXT(struct share, asset_id, 36),
    TEXT(struct share, owner_id, 36),
    TEXT(struct share, requester_id, 36),
    FIELDS_END,
};

#define PATH "o.name || '/' || a.kind || 's/' || a.name"
#define SHARE_SELECT                                                                               \
    "SELECT s.id, a.kind || 's/' || a.name AS asset, coalesce(s.version, 0) AS version,"           \
    " (SELECT v.digest FROM version v WHERE v.tenant_id = s.tenant_id"                             \
    "   AND v.asset_id = s.asset_id AND v.number = s.version) AS digest,"                          \
    " o.name AS project, r.name AS \"with\", s.by_alias, s.state, s.reason,"                       \
    " q.name AS requested_by, s.created_at, d.name AS decided_by, s.answer, s.decided_at,"         \
    " e.name AS ended_by, s.ended_at, s.revision, s.asset_id, s.owner_id,"                         \
    " s.requested_by AS requester_id FROM asset_share s"                                           \
    " JOIN asset a ON a.tenant_id = s.tenant_id AND a.id = s.asset_id"                             \
    " JOIN project o ON o.tenant_id = s.tenant_id AND o.id = s.owner_id"                           \
    " JOIN project r ON r.tenant_id = s.tenant_id AND r.id = s.project_id"                         \
    " JOIN principal q ON q.tenant_id = s.tenant_id AND q.id = s.requested_by"                     \
    " LEFT JOIN principal d ON d.tenant_id = s.tenant_id AND d.id = s.decided_by"                  \
    " LEFT JOIN principal e ON e.tenant_id = s.tenant_id AND e.id = s.ended_by"                    \
    " WHERE s.tenant_id = current_tenant() AND $1::uuid IN (s.owner_id, s.project_id)"             \
    " AND ((s.project_id = $1::uuid AND s.state <> 'active' AND $2::boolean)"                      \
    "  OR ((o.name = ANY ($3::text[]) OR " PATH " = ANY ($4::text[]))"                             \
    "   AND NOT " PATH " = ANY ($5::text[])))"
#define SEEN(s) P_TEXT((s)->project_id), P_BOOL((s)->agrees), READABLE_THINGS_PARAMS(&(s)->may)

QUERY(share_find_sql, SHARE_SELECT " AND s.id = $6::uuid");
QUERY(share_lock_sql, SHARE_SELECT " AND s.id = $6::uuid FOR NO KEY UPDATE OF s");
QUERY(share_list_sql,
      SHARE_SELECT " AND ($6::text IS NULL OR ($6 = 'in') = (s.project_id = $1::uuid))"
                   " AND ($7::text IS NULL OR s.state = $7) AND s.id < $8::uuid"
                   " ORDER BY s.id DESC LIMIT $9::bigint");

enum err share_find(struct db *db, const struct share_search *s, const char *id, struct share *out)
{
    return db_one(db, &share_find_sql, share_columns, out, PARAMS(SEEN(s), P_TEXT(id)));
}

enum err share_lock(struct db *db, const struct share_search *s, const char *id, struct share *out)
{
    return db_one(db, &share_lock_sql, share_columns, out, PARAMS(SEEN(s), P_TEXT(id)));
}

enum err share_list(struct db *db, const struct share_search *s, struct rows *out)
{
    return db_list(db, &share_list_sql, share_columns, sizeof(struct share), out,
                   PARAMS(SEEN(s), P_TEXT(s->direction), P_TEXT(s->state), P_TEXT(s->before),
                          P_INT(s->limit)));
}

QUERY(share_insert_sql,
      "INSERT INTO asset_share (tenant_id, id, asset_id, owner_id, version, project_id, by_alias,"
      " state, reason, requested_by) VALUES (current_tenant(), $1::uuid, $2::uuid, $3::uuid,"
      " nullif($4::int, 0), $5::uuid, $6::boolean, $7, $8, $9::uuid) ON CONFLICT DO NOTHING");

enum err share_insert(struct db *db, const struct share_draft *d, char id[ID_SIZE])
{
    int64_t rows;

    id_new(id);
    TRY(db_run(db, &share_insert_sql, &rows,
               PARAMS(P_TEXT(id), P_TEXT(d->asset_id), P_TEXT(d->owner_id), P_INT(d->version),
                      P_TEXT(d->project_id), P_BOOL(d->by_alias), P_TEXT(d->state),
                      P_TEXT(d->reason), P_TEXT(d->by))));
    return rows == 1 ? OK : ERR_EXISTS;
}

QUERY(share_decide_sql,
      "UPDATE asset_share SET state = $2, decided_by = $3::uuid, answer = $4, decided_at = now(),"
      " revision = revision + 1 WHERE tenant_id = current_tenant() AND id = $1::uuid");

enum err share_decide(struct db *db, const char *id, const char *state, const char *by,
                      const char *answer)
{
    return db_change(db, &share_decide_sql,
                     PARAMS(P_TEXT(id), P_TEXT(state), P_TEXT(by), P_TEXT(answer)));
}

QUERY(share_end_sql,
      "UPDATE asset_share SET state = 'ended', ended_by = $2::uuid, ended_at = now(),"
      " revision = revision + 1 WHERE tenant_id = current_tenant() AND id = $1::uuid");

enum err share_end(struct db *db, const char *id, const char *by)
{
    return db_change(db, &share_end_sql, PARAMS(P_TEXT(id), P_TEXT(by)));
}

static const struct field open_fields[] = {
    TEXT(struct share_open, id, 36),
    NAME(struct share_open, project),
    NAME(struct share_open, with),
    FIELDS_END,
};

QUERY(share_open_sql, "SELECT s.id, o.name AS project, r.name AS \"with\" FROM asset_share s"
                      " JOIN project o ON o.tenant_id = s.tenant_id AND o.id = s.owner_id"
                      " JOIN project r ON r.tenant_id = s.tenant_id AND r.id = s.project_id"
                      " WHERE s.tenant_id = current_tenant() AND s.asset_id = $1::uuid"
                      " AND s.state IN ('asked', 'offered', 'active') ORDER BY s.id LIMIT 1");

enum err share_open_of(struct db *db, const char *asset_id, struct share_open *out)
{
    return db_one(db, &share_open_sql, open_fields, out, PARAMS(P_TEXT(asset_id)));
}

QUERY(share_forget_sql, "DELETE FROM asset_share WHERE tenant_id = current_tenant()"
                        " AND asset_id = $1::uuid AND state IN ('refused', 'ended')");

enum err share_forget(struct db *db, const char *asset_id)
{
    return db_defer_any(db, &share_forget_sql, PARAMS(P_TEXT(asset_id)));
}

struct stands {
    bool stands;
};

static const struct field stands_fields[] = {BOOL(struct stands, stands), FIELDS_END};

QUERY(share_stands_sql,
      "SELECT share_stands($1::uuid, $2::int, $3::uuid) AND ($4::text IS NULL OR EXISTS (SELECT"
      " FROM asset_share s WHERE s.tenant_id = current_tenant() AND s.asset_id = $1::uuid"
      " AND s.project_id = $3::uuid AND s.state = 'active' AND s.by_alias)) AS stands");

enum err share_find_version(struct request *rq, const char *path, struct version *out)
{
    const char *rest = strchr(path + sizeof("projects/") - 1, '/');
    struct auth_version of = {.number = 0};
    struct version_key key;
    struct stands s;

    if (strncmp(path, "projects/", 9) != 0 || rest == NULL ||
        !version_key_parse(rq->arena, rest + 1, &key))
        return ERR_NOT_FOUND;
    of.project = arena_copy(rq->arena, path + 9, (size_t)(rest - path - 9));
    of.asset = asset_path(rq->arena, key.kind, key.asset);
    of.number = key.number;
    of.alias = key.alias;
    if (!auth_may_version(rq, ASSET_READ, &of) || !auth_may_version(rq, FILE_READ, &of))
        return ERR_NOT_FOUND;
    TRY(version_get(rq->db, auth_project_of(rq, of.project), &key, out));
    TRY(db_one(rq->db, &share_stands_sql, stands_fields, &s,
               PARAMS(P_TEXT(out->asset_id), P_INT(out->number), P_TEXT(auth_project_id(rq)),
                      P_TEXT(key.alias))));
    return s.stands ? OK : ERR_NOT_FOUND;
}
