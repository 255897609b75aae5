/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/blob.h"

#include "registry/blob_file.h"

/* Serializes making and unmaking of one digest of one tenant, across all replicas, until commit. */
QUERY(blob_lock_sql, "SELECT pg_advisory_xact_lock("
                     "hashtextextended(current_tenant()::text || $1::text, 0))");
QUERY(blob_put_sql, "INSERT INTO blob (tenant_id, sha256, size)"
                    " VALUES (current_tenant(), decode($1, 'hex'), $2::bigint)"
                    " ON CONFLICT (tenant_id, sha256) DO UPDATE SET touched_at = now()");
QUERY(blob_has_sql, "SELECT FROM blob WHERE tenant_id = current_tenant()"
                    " AND sha256 = decode($1, 'hex')");

enum err blob_adopt(struct db *db, const char *path, const char *sha256, int64_t size)
{
    TRY(db_run(db, &blob_lock_sql, NULL, PARAMS(P_TEXT(sha256))));
    TRY(blob_file_place(db->tenant, path, sha256, size));
    return db_defer(db, &blob_put_sql, PARAMS(P_TEXT(sha256), P_INT(size)));
}

enum err blob_sweep(struct db *db, const char *sha256, bool *removed)
{
    PGresult *rows;

    *removed = false;
    TRY(db_run(db, &blob_lock_sql, NULL, PARAMS(P_TEXT(sha256))));
    /* READ COMMITTED: this statement sees everything that was committed before the lock was ours.
     */
    TRY(db_rows(db, &blob_has_sql, &rows, PARAMS(P_TEXT(sha256))));
    if (PQntuples(rows) == 0)
        *removed = blob_file_remove(db->tenant, sha256);
    return OK;
}
