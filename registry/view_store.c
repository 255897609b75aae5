/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/view.h"

const struct field view_fields[] = {
    NAME(struct view, name),
    TEXT(struct view, shared, 10),
    OPT_TEXT(struct view, description, 2000),
    OPT_TEXT(struct view, q, 500),
    OPT_TEXT(struct view, kind, 20),
    OPT_TEXT(struct view, tag, 5300),
    OPT_TEXT(struct view, project, 63),
    NAME(struct view, owner),
    INT(struct view, revision, 1, INT64_MAX),
    TIME(struct view, updated_at),
    FIELDS_END,
};

#define VIEW_SELECT                                                                                \
    "SELECT v.name, v.shared, v.description, v.q, v.kind, v.tag, v.in_project AS project,"         \
    " o.name AS owner, v.revision, v.updated_at FROM saved_view v"                                 \
    " JOIN principal o ON o.tenant_id = v.tenant_id AND o.id = v.owner_id"                         \
    " WHERE v.tenant_id = current_tenant()"
#define VIEW_HERE " AND v.shared = $1 AND v.place_id = $2::uuid AND v.name = $3"

QUERY(view_find_sql, VIEW_SELECT VIEW_HERE);
QUERY(view_lock_sql, VIEW_SELECT VIEW_HERE " FOR UPDATE OF v");
/* One's own hides the tenant's of the same name. */
QUERY(view_list_sql, VIEW_SELECT
      " AND v.name > coalesce($4, '') AND ((v.shared = $1 AND v.place_id = $2::uuid)"
      " OR (v.shared = 'tenant' AND v.place_id = $3::uuid AND NOT EXISTS (SELECT FROM saved_view h"
      "  WHERE h.tenant_id = v.tenant_id AND h.shared = $1 AND h.place_id = $2::uuid"
      "  AND h.name = v.name))) ORDER BY v.name LIMIT $5::bigint");

enum err view_list(struct db *db, const struct view_place *place, const char *tenant,
                   const char *after, int64_t limit, struct rows *out)
{
    return db_list(db, &view_list_sql, view_fields, sizeof(struct view), out,
                   PARAMS(P_TEXT(place->shared), P_TEXT(place->id), P_TEXT(tenant), P_TEXT(after),
                          P_INT(limit)));
}

enum err view_find(struct db *db, const struct view_place *place, const char *name,
                   struct view *out)
{
    return db_one(db, &view_find_sql, view_fields, out,
                  PARAMS(P_TEXT(place->shared), P_TEXT(place->id), P_TEXT(name)));
}

enum err view_lock(struct db *db, const struct view_place *place, const char *name,
                   struct view *out)
{
    return db_one(db, &view_lock_sql, view_fields, out,
                  PARAMS(P_TEXT(place->shared), P_TEXT(place->id), P_TEXT(name)));
}

QUERY(view_insert_sql,
      "INSERT INTO saved_view (tenant_id, id, shared, place_id, project_id, name, description, q,"
      " kind, tag, in_project, owner_id) SELECT current_tenant(), $1::uuid, $2, $3::uuid,"
      " CASE WHEN $2 = 'project' THEN $3::uuid END, $4, coalesce($5, ''), $6, $7, $8, $9, $10::uuid"
      " WHERE (SELECT count(*) FROM saved_view v WHERE v.tenant_id = current_tenant()"
      "  AND v.shared = $2 AND v.place_id = $3::uuid) < $11::bigint");

enum err view_insert(struct db *db, const struct view_place *place, const struct view *v,
                     const char *by)
{
    char id[ID_SIZE];
    int64_t rows;

    id_new(id);
    TRY(db_run(db, &view_insert_sql, &rows,
               PARAMS(P_TEXT(id), P_TEXT(place->shared), P_TEXT(place->id), P_TEXT(v->name),
                      P_TEXT(v->description), P_TEXT(v->q), P_TEXT(v->kind), P_TEXT(v->tag),
                      P_TEXT(v->project), P_TEXT(by), P_INT(VIEWS_MAX))));
    return rows == 1 ? OK : ERR_TOO_LARGE;
}

QUERY(view_update_sql,
      "UPDATE saved_view v SET description = coalesce($4, ''), q = $5, kind = $6, tag = $7,"
      " in_project = $8, revision = revision + 1, updated_at = now()"
      " WHERE v.tenant_id = current_tenant()" VIEW_HERE);

enum err view_update(struct db *db, const struct view_place *place, const struct view *v)
{
    return db_change(db, &view_update_sql,
                     PARAMS(P_TEXT(place->shared), P_TEXT(place->id), P_TEXT(v->name),
                            P_TEXT(v->description), P_TEXT(v->q), P_TEXT(v->kind), P_TEXT(v->tag),
                            P_TEXT(v->project)));
}

QUERY(view_delete_sql, "DELETE FROM saved_view v WHERE v.tenant_id = current_tenant()" VIEW_HERE);

enum err view_delete(struct db *db, const struct view_place *place, const char *name)
{
    return db_change(db, &view_delete_sql,
                     PARAMS(P_TEXT(place->shared), P_TEXT(place->id), P_TEXT(name)));
}
