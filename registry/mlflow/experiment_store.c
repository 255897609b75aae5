/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/experiment.h"

#include "core/text.h"
#include "registry/mlflow/mlflow.h"

#include <stdlib.h>

#define OF_PROJECT " WHERE e.tenant_id = current_tenant() AND e.project_id = $1::uuid"

QUERY(experiment_get_sql, "SELECT json_build_object('experiment', " EXPERIMENT_JSON
                          ") FROM experiment e" OF_PROJECT " AND e.id = $2::bigint");
QUERY(experiment_by_name_sql, "SELECT json_build_object('experiment', " EXPERIMENT_JSON
                              ") FROM experiment e" OF_PROJECT " AND e.name = $2");

enum err experiment_get(struct db *db, const char *project_id, int64_t id, const char **json)
{
    return mlflow_json(db, &experiment_get_sql, json, PARAMS(P_TEXT(project_id), P_INT(id)));
}

enum err experiment_by_name(struct db *db, const char *project_id, const char *name,
                            const char **json)
{
    return mlflow_json(db, &experiment_by_name_sql, json, PARAMS(P_TEXT(project_id), P_TEXT(name)));
}

QUERY(experiment_create_sql, "INSERT INTO experiment AS e (tenant_id, project_id, id, name, tags)"
                             " VALUES (current_tenant(), $1::uuid, $2::bigint, $3, $4::jsonb)");

/* 18 digits, like those of MLflow's own stores: the time, and chance from the tail of a UUID. */
static int64_t number_new(void)
{
    char id[ID_SIZE];

    id_new(id);
    return time_now_ms() * 100000 + (int64_t)(strtoul(id + 30, NULL, 16) % 100000);
}

enum err experiment_create(struct db *db, const char *project_id, const char *name,
                           const json_t *tags, int64_t *id)
{
    *id = number_new();
    return db_change(db, &experiment_create_sql,
                     PARAMS(P_TEXT(project_id), P_INT(*id), P_TEXT(name), P_JSON(tags)));
}

#define NOW_MS "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"

QUERY(experiment_rename_sql, "UPDATE experiment e SET name = $3, updated_ms = " NOW_MS OF_PROJECT
                             " AND e.id = $2::bigint AND e.stage = 'active'");

enum err experiment_rename(struct db *db, const char *project_id, int64_t id, const char *name)
{
    return db_change(db, &experiment_rename_sql,
                     PARAMS(P_TEXT(project_id), P_INT(id), P_TEXT(name)));
}

QUERY(experiment_stage_sql, "UPDATE experiment e SET stage = $3, updated_ms = " NOW_MS OF_PROJECT
                            " AND e.id = $2::bigint AND e.stage <> $3");
QUERY(experiment_runs_stage_sql,
      "UPDATE run e SET stage = $3, deleted_ms = CASE WHEN $3 = 'deleted' THEN " NOW_MS
      " END" OF_PROJECT " AND e.experiment_id = $2::bigint AND e.stage <> $3");

enum err experiment_set_stage(struct db *db, const char *project_id, int64_t id, const char *stage)
{
    TRY(db_defer_any(db, &experiment_runs_stage_sql,
                     PARAMS(P_TEXT(project_id), P_INT(id), P_TEXT(stage))));
    return db_change(db, &experiment_stage_sql,
                     PARAMS(P_TEXT(project_id), P_INT(id), P_TEXT(stage)));
}

QUERY(experiment_tag_sql,
      "UPDATE experiment e SET tags = CASE WHEN $4::text IS NULL THEN e.tags - $3::text"
      " ELSE e.tags || jsonb_build_object($3::text, $4::text) END, updated_ms = " NOW_MS OF_PROJECT
      " AND e.id = $2::bigint AND e.stage = 'active' AND ($4::text IS NOT NULL OR e.tags ? "
      "$3::text)");

enum err experiment_set_tag(struct db *db, const char *project_id, int64_t id, const char *key,
                            const char *value)
{
    return db_change(db, &experiment_tag_sql,
                     PARAMS(P_TEXT(project_id), P_INT(id), P_TEXT(key), P_TEXT(value)));
}
