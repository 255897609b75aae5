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

QUERY(witness_put_sql, "INSERT INTO audit_witness (tenant_id, name, vkey, url)"
                       " VALUES ($1::uuid, $2, $3, $4)"
                       " ON CONFLICT (tenant_id, name) DO UPDATE SET vkey = EXCLUDED.vkey,"
                       " url = EXCLUDED.url, size = 0, problem = NULL, retry_at = now()");

enum err witness_put(struct db *db, const struct witness *w)
{
    return db_change(db, &witness_put_sql,
                     PARAMS(P_TEXT(db->tenant), P_TEXT(w->name), P_TEXT(w->vkey), P_TEXT(w->url)));
}

QUERY(witness_delete_sql, "DELETE FROM audit_witness WHERE tenant_id = $1::uuid AND name = $2");

enum err witness_delete(struct db *db, const char *name)
{
    return db_change(db, &witness_delete_sql, PARAMS(P_TEXT(db->tenant), P_TEXT(name)));
}

QUERY(witness_claim_sql,
      "UPDATE audit_witness w SET tried_at = now(), retry_at = now() + interval '30 seconds'"
      " WHERE w.tenant_id = $1::uuid AND w.retry_at <= now() AND NOT EXISTS ("
      "  SELECT FROM audit_cosignature c WHERE c.tenant_id = w.tenant_id AND c.origin = $2"
      "   AND c.size = $3::bigint AND c.witness = w.name)"
      " RETURNING w.name, w.vkey, w.url, w.size, w.problem, w.tried_at");

enum err witness_claim(struct db *db, const struct log *l, struct rows *out)
{
    return db_list(db, &witness_claim_sql, witness_view_fields, sizeof(struct witness), out,
                   PARAMS(P_TEXT(db->tenant), P_TEXT(l->origin), P_INT((int64_t)l->signed_size)));
}

QUERY(witness_saw_sql, "UPDATE audit_witness SET size = $3::bigint, problem = NULL,"
                       " retry_at = now() WHERE tenant_id = $1::uuid AND name = $2");

enum err witness_saw(struct db *db, const struct witness *w, int64_t size)
{
    return db_change(db, &witness_saw_sql,
                     PARAMS(P_TEXT(db->tenant), P_TEXT(w->name), P_INT(size)));
}

QUERY(witness_cosigned_sql, "INSERT INTO audit_cosignature (tenant_id, origin, size, witness, line)"
                            " VALUES ($1::uuid, $2, $3, $4, $5) ON CONFLICT DO NOTHING");

enum err witness_cosigned(struct db *db, const struct log *l, const struct witness *w,
                          const char *line)
{
    TRY(db_run(db, &witness_cosigned_sql, NULL,
               PARAMS(P_TEXT(db->tenant), P_TEXT(l->origin), P_INT((int64_t)l->signed_size),
                      P_TEXT(w->name), P_TEXT(line))));
    return witness_saw(db, w, (int64_t)l->signed_size);
}

QUERY(witness_postpone_sql, "UPDATE audit_witness SET problem = $3 WHERE tenant_id = $1::uuid"
                            " AND name = $2");

enum err witness_postpone(struct db *db, const struct witness *w, const char *problem)
{
    return db_change(db, &witness_postpone_sql,
                     PARAMS(P_TEXT(db->tenant), P_TEXT(w->name), P_TEXT(problem)));
}
