/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/bundle/bundle_origin.h"

const struct field bundle_origin_fields[] = {
    NAME(struct bundle_origin, name),
    TEXT(struct bundle_origin, vkey, NOTE_VKEY_SIZE),
    NAME(struct bundle_origin, added_by),
    TIME(struct bundle_origin, added_at),
    FIELDS_END,
};

#define ORIGIN_SELECT                                                                              \
    "SELECT o.name, o.vkey, u.name AS added_by, o.added_at FROM bundle_origin o"                   \
    " JOIN principal u ON u.tenant_id = o.tenant_id AND u.id = o.added_by"                         \
    " WHERE o.tenant_id = current_tenant()"

QUERY(bundle_origin_list_sql, ORIGIN_SELECT " ORDER BY o.name");
QUERY(bundle_origin_find_sql, ORIGIN_SELECT " AND o.name = $1 FOR UPDATE OF o");
QUERY(bundle_origin_put_sql,
      "INSERT INTO bundle_origin (tenant_id, name, vkey, added_by)"
      " VALUES (current_tenant(), $1, $2, $3::uuid) ON CONFLICT (tenant_id, name)"
      " DO UPDATE SET vkey = excluded.vkey, added_by = excluded.added_by, added_at = now()");
QUERY(bundle_origin_delete_sql,
      "DELETE FROM bundle_origin WHERE tenant_id = current_tenant() AND name = $1");

enum err bundle_origin_list(struct db *db, struct rows *out)
{
    return db_list(db, &bundle_origin_list_sql, bundle_origin_fields, sizeof(struct bundle_origin),
                   out, NO_PARAMS);
}

enum err bundle_origin_find(struct db *db, const char *name, struct bundle_origin *out)
{
    return db_one(db, &bundle_origin_find_sql, bundle_origin_fields, out, PARAMS(P_TEXT(name)));
}

enum err bundle_origin_put(struct db *db, const char *name, const char *vkey, const char *by)
{
    return db_change(db, &bundle_origin_put_sql, PARAMS(P_TEXT(name), P_TEXT(vkey), P_TEXT(by)));
}

enum err bundle_origin_delete(struct db *db, const char *name)
{
    return db_change(db, &bundle_origin_delete_sql, PARAMS(P_TEXT(name)));
}

enum err bundle_origin_keys(struct db *db, struct note_key **keys, size_t *count)
{
    const struct bundle_origin *item;
    struct rows rows;

    TRY(bundle_origin_list(db, &rows));
    item = rows.items;
    *keys = arena_alloc(db->arena, (rows.count + 1) * sizeof(**keys));
    for (size_t i = 0; i < rows.count; i++)
        TRY(note_vkey_parse(item[i].vkey, &(*keys)[i]));
    *count = rows.count;
    return OK;
}
