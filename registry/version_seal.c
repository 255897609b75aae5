/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/version.h"

#include "core/log.h"
#include "lineage/canonical.h"
#include "lineage/graph/provenance.h"
#include "registry/blob.h"
#include "registry/reply.h"

#include <string.h>

enum { MANIFEST_MAX = 16 << 20 };

const struct field version_file_fields[] = {
    TEXT(struct version_file, path, 512),
    INT(struct version_file, size, 0, INT64_MAX),
    TEXT(struct version_file, sha256, 64),
    FIELDS_END,
};

#define FILE_SELECT                                                                                \
    "SELECT f.path, f.size, f.sha256 FROM version_file f"                                          \
    " WHERE f.tenant_id = current_tenant() AND f.version_id = $1::uuid"

QUERY(version_files_sql, FILE_SELECT " AND f.path COLLATE \"C\" > coalesce($2, '')"
                                     " ORDER BY f.path COLLATE \"C\" LIMIT $3::bigint");
QUERY(version_file_sql, FILE_SELECT " AND f.path = $2");

enum err version_files(struct db *db, const char *version_id, struct rows *out)
{
    return version_files_after(db, version_id, NULL, VERSION_FILES_MAX + 1, out);
}

enum err version_files_after(struct db *db, const char *version_id, const char *after,
                             int64_t limit, struct rows *out)
{
    return db_list(db, &version_files_sql, version_file_fields, sizeof(struct version_file), out,
                   PARAMS(P_TEXT(version_id), P_TEXT(after), P_INT(limit)));
}

enum err version_file(struct db *db, const char *version_id, const char *path,
                      struct version_file *out)
{
    return db_one(db, &version_file_sql, version_file_fields, out,
                  PARAMS(P_TEXT(version_id), P_TEXT(path)));
}

QUERY(version_file_put,
      "INSERT INTO version_file (tenant_id, version_id, path, sha256, size)"
      " SELECT v.tenant_id, v.id, $2, decode($3, 'hex'), $4::bigint FROM version v"
      " WHERE v.tenant_id = current_tenant() AND v.id = $1::uuid AND v.state = 'pending'"
      " AND (SELECT count(*) FROM version_file f WHERE f.tenant_id = v.tenant_id"
      "  AND f.version_id = v.id AND f.path <> $2) < $5::bigint"
      " ON CONFLICT (tenant_id, version_id, path)"
      " DO UPDATE SET sha256 = excluded.sha256, size = excluded.size");

enum err version_add_file(struct db *db, const struct version *v, const struct version_file *file,
                          const char *local_path)
{
    enum err e;

    TRY(blob_adopt(db, local_path, file->sha256, file->size));
    e = db_change(db, &version_file_put,
                  PARAMS(P_TEXT(v->id), P_TEXT(file->path), P_TEXT(file->sha256), P_INT(file->size),
                         P_INT(VERSION_FILES_MAX)));
    return e == ERR_NOT_FOUND ? ERR_TOO_LARGE : e;
}

QUERY(version_touch_sql,
      "UPDATE version SET contributors = contributors || $2::uuid"
      " WHERE tenant_id = current_tenant() AND id = $1::uuid AND created_by <> $2::uuid"
      " AND NOT $2::uuid = ANY (contributors)");

enum err version_touch(struct db *db, const struct version *v, const char *principal_id)
{
    return db_defer_any(db, &version_touch_sql, PARAMS(P_TEXT(v->id), P_TEXT(principal_id)));
}

QUERY(version_file_remove, "DELETE FROM version_file WHERE tenant_id = current_tenant()"
                           " AND version_id = $1::uuid AND path = $2");

enum err version_remove_file(struct db *db, const struct version *v, const char *path)
{
    return db_change(db, &version_file_remove, PARAMS(P_TEXT(v->id), P_TEXT(path)));
}

/* The members of facts, with files put last so that no fact can pose as the files. */
static json_t *manifest_of(struct arena *a, const struct rows *files, const json_t *facts)
{
    const struct version_file *file = files->items;
    json_t *manifest = facts == NULL ? json_object() : json_copy((json_t *)facts);
    json_t *list = json_array();

    for (size_t i = 0; i < files->count; i++)
        json_array_append_new(list, field_to_json(version_file_fields, &file[i]));
    json_object_set_new(manifest, "files", list);
    arena_own(a, manifest, json_release);
    return manifest;
}

static enum err digest_of(const json_t *json, struct digest *out)
{
    struct text t = text_new(MANIFEST_MAX);
    enum err e = canonical_json(json, &t);

    if (e == OK)
        *out = sha256_of(t.data, t.length);
    text_free(&t);
    return e;
}

QUERY(version_seal_sql,
      "UPDATE version SET state = 'ready', digest = $2::bytea, manifest = $3::json,"
      " size = $4::bigint, ready_at = now(), revision = revision + 1"
      " WHERE tenant_id = current_tenant() AND id = $1::uuid AND state = 'pending'");
QUERY(version_uploads_end,
      "DELETE FROM upload WHERE tenant_id = current_tenant() AND version_id = $1::uuid");

const char *version_node_kind(const char *kind)
{
    return strcmp(kind, "model") == 0     ? "model-version"
           : strcmp(kind, "dataset") == 0 ? "dataset-version"
                                          : kind;
}

enum err version_seal(struct db *db, struct version *v, const json_t *facts)
{
    const struct version_file *file;
    struct rows files;
    struct digest digest;
    json_t *manifest;
    int64_t size = 0;

    TRY(version_files(db, v->id, &files));
    if ((files.count == 0 && (facts == NULL || !kind_is_facts(v->kind))) ||
        strcmp(v->state, "pending") != 0)
        return ERR_CONFLICT;
    file = files.items;
    for (size_t i = 0; i < files.count; i++)
        size += file[i].size;
    manifest = manifest_of(db->arena, &files, facts);
    TRY(digest_of(manifest, &digest));
    TRY(db_defer_any(db, &version_uploads_end, PARAMS(P_TEXT(v->id))));
    TRY(db_change(
        db, &version_seal_sql,
        PARAMS(P_TEXT(v->id), P_BYTES(digest.bytes, SHA256_SIZE), P_JSON(manifest), P_INT(size))));
    TRY(provenance_node(db, version_node_kind(v->kind), version_node(db->arena, v), v->project,
                        digest.bytes));
    return version_by_id(db, v->id, v);
}
