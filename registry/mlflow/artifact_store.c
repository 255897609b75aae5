/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/artifact.h"

#include "registry/blob.h"
#include "registry/mlflow/mlflow.h"

#include <string.h>

static const char *const owners[] = {"run", "model", "version", "trace"};

static const struct field file_fields[] = {
    TEXT(struct artifact_file, sha256, 64),
    INT(struct artifact_file, size, 0, INT64_MAX),
    FIELDS_END,
};

QUERY(artifact_run_sql,
      "SELECT '' FROM run WHERE tenant_id = current_tenant() AND project_id = $1::uuid"
      " AND id = $2::uuid AND ($3::bigint < 0 OR experiment_id = $3)");
QUERY(artifact_model_sql,
      "SELECT '' FROM logged_model WHERE tenant_id = current_tenant() AND project_id = $1::uuid"
      " AND id = $2::uuid AND ($3::bigint < 0 OR experiment_id = $3) AND deleted_ms IS NULL");

enum err artifact_owner_find(struct db *db, const char *project_id, const struct artifact_place *p,
                             int64_t experiment_id)
{
    const char *found;

    return mlflow_json(db, p->owner == ARTIFACT_RUN ? &artifact_run_sql : &artifact_model_sql,
                       &found, PARAMS(P_TEXT(project_id), P_TEXT(p->uuid), P_INT(experiment_id)));
}

#define OF_OWNER " WHERE f.tenant_id = current_tenant() AND f.owner = $1 AND f.owner_id = $2"
#define OF_VERSION                                                                                 \
    " WHERE f.tenant_id = current_tenant() AND $1 = 'version' AND f.version_id = $2::uuid"

QUERY(artifact_find_sql, "SELECT f.sha256, f.size FROM artifact f" OF_OWNER " AND f.path = $3");
QUERY(artifact_version_file_sql,
      "SELECT f.sha256, f.size FROM version_file f" OF_VERSION " AND f.path = $3");

enum err artifact_find(struct db *db, const struct artifact_place *p, struct artifact_file *out)
{
    return db_one(
        db, p->owner == ARTIFACT_VERSION ? &artifact_version_file_sql : &artifact_find_sql,
        file_fields, out, PARAMS(P_TEXT(owners[p->owner]), P_TEXT(p->id), P_TEXT(p->path)));
}

#define MEMBERS(table, which)                                                                      \
    "WITH f AS (SELECT substr(f.path, length($3) + 1) AS rest, f.size, f.sha256 FROM " table       \
    "  f" which "  AND starts_with(f.path, $3)), m AS (SELECT split_part(rest, '/', 1) AS name,"   \
    "  bool_or(strpos(rest, '/') > 0) AS dir, max(size) AS size,"                                  \
    "  min(encode(sha256, 'hex')) AS sha256 FROM f GROUP BY 1)"                                    \
    " SELECT json_build_object('files', coalesce(json_agg(json_strip_nulls(json_build_object("     \
    "'path', $4::text || m.name, 'is_dir', m.dir, 'file_size', CASE WHEN NOT m.dir THEN m.size"    \
    " END, 'sha256', CASE WHEN NOT m.dir THEN m.sha256 END)) ORDER BY m.name COLLATE \"C\"),"      \
    " '[]')) FROM m"

QUERY(artifact_list_sql, MEMBERS("artifact", OF_OWNER));
QUERY(artifact_version_list_sql, MEMBERS("version_file", OF_VERSION));

static const char *below(struct arena *a, const char *path)
{
    return *path == '\0' ? "" : arena_printf(a, "%s/", path);
}

enum err artifact_list(struct db *db, const struct artifact_place *p, const char *prefix,
                       const char **json)
{
    return mlflow_json(
        db, p->owner == ARTIFACT_VERSION ? &artifact_version_list_sql : &artifact_list_sql, json,
        PARAMS(P_TEXT(owners[p->owner]), P_TEXT(p->id), P_TEXT(below(db->arena, p->path)),
               P_TEXT(prefix)));
}

/* A path is not a file and a directory at once. */
QUERY(artifact_put_sql,
      "INSERT INTO artifact (tenant_id, owner, owner_id, path, sha256, size, created_by)"
      " SELECT current_tenant(), $1, $2, $3, decode($4, 'hex'), $5::bigint, $6::uuid"
      " WHERE NOT EXISTS (SELECT FROM artifact f" OF_OWNER " AND (starts_with(f.path, $3 || '/')"
      "  OR starts_with($3, f.path || '/')))"
      " ON CONFLICT (tenant_id, owner, owner_id, path) DO UPDATE SET sha256 = excluded.sha256,"
      " size = excluded.size, created_by = excluded.created_by");

enum err artifact_put(struct db *db, const struct artifact_place *p,
                      const struct artifact_file *file, const char *local_path, const char *by)
{
    enum err e;

    TRY(blob_adopt(db, local_path, file->sha256, file->size));
    e = db_change(db, &artifact_put_sql,
                  PARAMS(P_TEXT(owners[p->owner]), P_TEXT(p->id), P_TEXT(p->path),
                         P_TEXT(file->sha256), P_INT(file->size), P_TEXT(by)));
    return e == ERR_NOT_FOUND ? ERR_CONFLICT : e;
}

QUERY(artifact_remove_sql,
      "DELETE FROM artifact f" OF_OWNER " AND (f.path = $3 OR starts_with(f.path, $3 || '/'))");

enum err artifact_remove(struct db *db, const struct artifact_place *p)
{
    int64_t rows = 0;

    TRY(db_run(db, &artifact_remove_sql, &rows,
               PARAMS(P_TEXT(owners[p->owner]), P_TEXT(p->id), P_TEXT(p->path))));
    return rows == 0 ? ERR_NOT_FOUND : OK;
}

/* Of a directory the paths begin anew below it; of a file its name is left. */
#define RELATIVE                                                                                   \
    "CASE WHEN $3 = '' THEN f.path WHEN f.path = $3 THEN regexp_replace(f.path, '^.*/', '')"       \
    " ELSE substr(f.path, length($3) + 2) END"
#define AT_PLACE " AND ($3 = '' OR f.path = $3 OR starts_with(f.path, $3 || '/'))"
#define LINK(table, which)                                                                         \
    "INSERT INTO version_file (tenant_id, version_id, path, sha256, size)"                         \
    " SELECT f.tenant_id, $4::uuid, " RELATIVE ", f.sha256, f.size FROM " table                    \
    " f" which AT_PLACE

QUERY(artifact_link_sql, LINK("artifact", OF_OWNER));
QUERY(artifact_version_link_sql, LINK("version_file", OF_VERSION));
QUERY(artifact_contributors_sql,
      "UPDATE version v SET contributors = ARRAY (SELECT DISTINCT f.created_by FROM artifact"
      " f" OF_OWNER AT_PLACE " AND f.created_by <> v.created_by)"
      " WHERE v.tenant_id = current_tenant() AND v.id = $4::uuid");

enum err artifact_link(struct db *db, const struct artifact_place *p, const char *version_id,
                       int64_t *count)
{
    const struct param params[] = {P_TEXT(owners[p->owner]), P_TEXT(p->id), P_TEXT(p->path),
                                   P_TEXT(version_id)};

    TRY(db_run(db, p->owner == ARTIFACT_VERSION ? &artifact_version_link_sql : &artifact_link_sql,
               count, params, 4));
    if (p->owner == ARTIFACT_VERSION)
        return OK;
    return db_run(db, &artifact_contributors_sql, NULL, params, 4);
}
