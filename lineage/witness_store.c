/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/witness.h"

const struct field witness_view_fields[] = {
    NAME(struct witness, name),
    TEXT(struct witness, vkey, NOTE_VKEY_SIZE),
    TEXT(struct witness, url, 500),
    INT(struct witness, size, 0, INT64_MAX),
    OPT_TEXT(struct witness, problem, 500),
    OPT_TIME(struct witness, tried_at),
    FIELDS_END,
};

QUERY(witness_list_sql, "SELECT name, vkey, url, size, problem, tried_at FROM audit_witness"
                        " WHERE tenant_id = $1::uuid ORDER BY name");

enum err witness_list(struct db *db, struct rows *out)
{
    return db_list(db, &witness_list_sql, witness_view_fields, sizeof(struct witness), out,
                   PARAMS(P_TEXT(db->tenant)));
}

QUERY(witness_lines_sql, "SELECT coalesce(string_agg(line, '' ORDER BY witness), '')"
                         "  FROM audit_cosignature"
                         " WHERE tenant_id = $1::uuid AND origin = $2 AND size = $3");

enum err witness_lines(struct db *db, const struct log *l, const char **out)
{
    PGresult *rows;

    TRY(db_rows(db, &witness_lines_sql, &rows,
                PARAMS(P_TEXT(db->tenant), P_TEXT(l->origin), P_INT((int64_t)l->signed_size))));
    *out = PQgetvalue(rows, 0, 0);
    return OK;
}
