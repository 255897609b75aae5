/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/transfer.h"

const struct field transfer_fields[] = {
    TEXT(struct transfer, id, 36),
    TEXT(struct transfer, path, 512),
    INT(struct transfer, size, 0, INT64_MAX),
    INT(struct transfer, received, 0, INT64_MAX),
    TEXT(struct transfer, sha256, 64),
    TIME(struct transfer, expires_at),
    FIELDS_END,
};

QUERY(transfer_find_sql,
      "SELECT id, path, size, received, sha256, expires_at FROM upload"
      " WHERE tenant_id = current_tenant() AND version_id = $1::uuid AND id = $2::uuid"
      " AND expires_at > now()");

enum err transfer_find(struct db *db, const char *version_id, const char *id, struct transfer *out)
{
    return db_one(db, &transfer_find_sql, transfer_fields, out,
                  PARAMS(P_TEXT(version_id), P_TEXT(id)));
}

QUERY(transfer_create_sql,
      "INSERT INTO upload (tenant_id, id, version_id, path, size, sha256, created_by)"
      " VALUES (current_tenant(), $1::uuid, $2::uuid, $3, $4::bigint, decode($5, 'hex'),"
      " $6::uuid)");

enum err transfer_create(struct db *db, const char *version_id, const struct transfer *t,
                         const char *by)
{
    return db_change(db, &transfer_create_sql,
                     PARAMS(P_TEXT(t->id), P_TEXT(version_id), P_TEXT(t->path), P_INT(t->size),
                            P_TEXT(t->sha256), P_TEXT(by)));
}

QUERY(transfer_advance_sql, "UPDATE upload SET received = $3::bigint"
                            " WHERE tenant_id = current_tenant() AND id = $1::uuid"
                            " AND received = $2::bigint");

enum err transfer_advance(struct db *db, const struct transfer *t, int64_t received)
{
    enum err e = db_change(db, &transfer_advance_sql,
                           PARAMS(P_TEXT(t->id), P_INT(t->received), P_INT(received)));

    return e == ERR_NOT_FOUND ? ERR_CONFLICT : e;
}

QUERY(transfer_delete_sql,
      "DELETE FROM upload WHERE tenant_id = current_tenant() AND id = $1::uuid");

enum err transfer_delete(struct db *db, const char *id)
{
    return db_change(db, &transfer_delete_sql, PARAMS(P_TEXT(id)));
}
