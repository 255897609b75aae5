/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/multipart.h"

#include "registry/blob.h"

static const char *const owners[] = {"run", "model", "version"};

static const struct field multipart_fields[] = {
    TEXT(struct multipart, id, 36),
    INT(struct multipart, parts, 1, MULTIPART_PARTS_MAX),
    TEXT(struct multipart, path, 512),
    FIELDS_END,
};

static const struct field part_fields[] = {
    INT(struct multipart_part, part, 1, MULTIPART_PARTS_MAX),
    TEXT(struct multipart_part, sha256, 64),
    INT(struct multipart_part, size, 0, INT64_MAX),
    FIELDS_END,
};

QUERY(multipart_create_sql,
      "INSERT INTO multipart (tenant_id, id, project_id, owner, owner_id, path, parts, created_by,"
      " expires_at) VALUES (current_tenant(), $1::uuid, $2::uuid, $3, $4, $5, $6::int, $7::uuid,"
      " now() + make_interval(hours => $8::int))");

enum err multipart_create(struct db *db, const char *project_id, const struct artifact_place *p,
                          const struct multipart *m, const char *by)
{
    return db_change(db, &multipart_create_sql,
                     PARAMS(P_TEXT(m->id), P_TEXT(project_id), P_TEXT(owners[p->owner]),
                            P_TEXT(p->id), P_TEXT(p->path), P_INT(m->parts), P_TEXT(by),
                            P_INT(MULTIPART_HOURS)));
}

QUERY(multipart_find_sql,
      "SELECT m.id, m.parts, m.path FROM multipart m WHERE m.tenant_id = current_tenant()"
      " AND m.id::text = $1 AND m.owner = $2 AND m.owner_id = $3 AND m.path = $4"
      " AND m.created_by = $5::uuid AND m.expires_at > now()");

enum err multipart_find(struct db *db, const struct artifact_place *p, const char *id,
                        const char *by, struct multipart *out)
{
    return db_one(
        db, &multipart_find_sql, multipart_fields, out,
        PARAMS(P_TEXT(id), P_TEXT(owners[p->owner]), P_TEXT(p->id), P_TEXT(p->path), P_TEXT(by)));
}

QUERY(multipart_open_sql,
      "SELECT m.id, m.parts, m.path FROM multipart m WHERE m.tenant_id = current_tenant()"
      " AND m.id = $1::uuid AND m.created_by = $2::uuid AND m.expires_at > now()"
      " AND m.parts >= $3::int FOR SHARE");
QUERY(multipart_put_sql,
      "INSERT INTO multipart_part (tenant_id, upload_id, part, sha256, size)"
      " VALUES (current_tenant(), $1::uuid, $2::int, decode($3, 'hex'), $4::bigint)"
      " ON CONFLICT (tenant_id, upload_id, part) DO NOTHING");

enum err multipart_put(struct db *db, const char *id, const char *by,
                       const struct multipart_part *part, const char *local_path)
{
    struct multipart m;
    int64_t rows = 0;

    TRY(db_one(db, &multipart_open_sql, multipart_fields, &m,
               PARAMS(P_TEXT(id), P_TEXT(by), P_INT(part->part))));
    TRY(blob_adopt(db, local_path, part->sha256, part->size));
    TRY(db_run(db, &multipart_put_sql, &rows,
               PARAMS(P_TEXT(id), P_INT(part->part), P_TEXT(part->sha256), P_INT(part->size))));
    return rows == 1 ? OK : ERR_CONFLICT;
}

QUERY(multipart_parts_sql,
      "SELECT x.part, x.sha256, x.size FROM multipart_part x WHERE x.tenant_id = current_tenant()"
      " AND x.upload_id = $1::uuid ORDER BY x.part");

enum err multipart_parts(struct db *db, const char *id, struct rows *out)
{
    return db_list(db, &multipart_parts_sql, part_fields, sizeof(struct multipart_part), out,
                   PARAMS(P_TEXT(id)));
}

QUERY(multipart_delete_sql,
      "DELETE FROM multipart WHERE tenant_id = current_tenant() AND id = $1::uuid");

enum err multipart_delete(struct db *db, const char *id)
{
    return db_change(db, &multipart_delete_sql, PARAMS(P_TEXT(id)));
}
