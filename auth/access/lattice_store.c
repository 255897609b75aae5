/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/lattice.h"

QUERY(lattice_load_sql, "SELECT unnest(levels) FROM lattice WHERE tenant_id = current_tenant()");

enum err lattice_load(struct db *db, struct levels *out)
{
    const char **names;
    PGresult *rows;

    TRY(db_rows(db, &lattice_load_sql, &rows, NO_PARAMS));
    *out = usual_levels;
    if (PQntuples(rows) == 0)
        return OK;
    out->count = (size_t)PQntuples(rows);
    names = arena_alloc(db->arena, out->count * sizeof(*names));
    for (int i = 0; i < PQntuples(rows); i++)
        names[i] = PQgetvalue(rows, i, 0);
    out->names = names;
    return OK;
}

QUERY(lattice_put_sql, "INSERT INTO lattice (tenant_id, levels) VALUES (current_tenant(), $1)"
                       " ON CONFLICT ON CONSTRAINT lattice_key DO UPDATE SET levels = $1");

enum err lattice_put(struct db *db, const struct texts *levels)
{
    return db_change(db, &lattice_put_sql, PARAMS(P_TEXTS(levels->items, levels->count)));
}
