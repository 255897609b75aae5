/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/job.h"

const struct field job_fields[] = {
    TEXT(struct job, id, 36),
    TEXT(struct job, project, 63),
    TEXT(struct job, kind, 20),
    OBJECT(struct job, spec),
    TEXT(struct job, state, 20),
    OPT_TEXT(struct job, approval, 36),
    INT(struct job, attempts, 0, 100),
    REAL(struct job, progress),
    TEXT(struct job, message, 2000),
    OPT_OBJECT(struct job, result),
    TEXT(struct job, input, 200),
    OPT_TEXT(struct job, model, 200),
    OPT_TEXT(struct job, output, 200),
    TEXT(struct job, requested_by, 63),
    TIME(struct job, created_at),
    OPT_TIME(struct job, started_at),
    OPT_TIME(struct job, finished_at),
    BOOL(struct job, cancel),
    FIELDS_END,
};

#define VERSION_PATH(id)                                                                           \
    "(SELECT CASE WHEN a.project_id <> j.project_id THEN 'projects/' || o.name || '/' ELSE '' END" \
    "   || format('%ss/%s/versions/%s', a.kind, a.name, v.number) FROM version v"                  \
    "   JOIN asset a ON a.tenant_id = v.tenant_id AND a.id = v.asset_id"                           \
    "   JOIN project o ON o.tenant_id = a.tenant_id AND o.id = a.project_id"                       \
    "  WHERE v.tenant_id = j.tenant_id AND v.id = " id ")"

/* clang-format off */
#define JOB_SELECT                                                                                 \
    "SELECT j.id, p.name AS project, j.kind, j.spec, j.state, j.approval_id AS approval,"          \
    " j.attempts, j.progress, j.message, j.result, " VERSION_PATH("j.input_id") " AS input,"       \
    " " VERSION_PATH("j.model_id") " AS model, " VERSION_PATH("j.output_id") " AS output,"         \
    " r.name AS requested_by, j.created_at, j.started_at, j.finished_at, j.cancel"                 \
    " FROM job j JOIN project p ON p.tenant_id = j.tenant_id AND p.id = j.project_id"              \
    " JOIN principal r ON r.tenant_id = j.tenant_id AND r.id = j.requested_by"                     \
    " WHERE j.tenant_id = current_tenant() AND j.project_id = $1::uuid"
/* clang-format on */

QUERY(job_insert_sql,
      "INSERT INTO job (tenant_id, id, project_id, kind, spec, spec_digest, state, input_id,"
      " model_id, requested_by)"
      " VALUES (current_tenant(), $1::uuid, $2::uuid, $3, $4::json, $5, $6, $7::uuid, $8::uuid,"
      " $9::uuid)");

enum err job_insert(struct db *db, const struct job_new *job)
{
    return db_defer(db, &job_insert_sql,
                    PARAMS(P_TEXT(job->id), P_TEXT(job->project_id), P_TEXT(job->kind),
                           P_JSON(job->spec), P_BYTES(job->spec_digest.bytes, SHA256_SIZE),
                           P_TEXT(job->state), P_TEXT(job->input_id), P_TEXT(job->model_id),
                           P_TEXT(job->requested_by)));
}

QUERY(job_bind_sql,
      "UPDATE job SET approval_id = $2::uuid"
      " WHERE tenant_id = current_tenant() AND id = $1::uuid AND approval_id IS NULL");

enum err job_bind(struct db *db, const char *id, const char *approval_id)
{
    return db_change(db, &job_bind_sql, PARAMS(P_TEXT(id), P_TEXT(approval_id)));
}

QUERY(job_await_sql, "UPDATE job SET approval_id = $2::uuid"
                     " WHERE tenant_id = current_tenant() AND id = $1::uuid AND state = 'waiting'");

enum err job_await(struct db *db, const char *id, const char *approval_id)
{
    return db_defer(db, &job_await_sql, PARAMS(P_TEXT(id), P_TEXT(approval_id)));
}

QUERY(job_find_sql,
      JOB_SELECT " AND j.id = $2::uuid" READABLE_THINGS("p.name", "job_things(j)", "3", "4", "5"));

enum err job_find(struct db *db, const char *project_id, const char *id,
                  const struct readable_things *may, struct job *out)
{
    return db_one(db, &job_find_sql, job_fields, out,
                  PARAMS(P_TEXT(project_id), P_TEXT(id), READABLE_THINGS_PARAMS(may)));
}

QUERY(job_list_sql, JOB_SELECT
      " AND ($2::text IS NULL OR j.state = $2)"
      " AND j.id < coalesce($3::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')" READABLE_THINGS(
          "p.name", "job_things(j)", "5", "6", "7") " ORDER BY j.id DESC LIMIT $4::bigint");

enum err job_list(struct db *db, const struct job_search *s, struct rows *out)
{
    return db_list(db, &job_list_sql, job_fields, sizeof(struct job), out,
                   PARAMS(P_TEXT(s->project_id), P_TEXT(s->state), P_TEXT(s->before),
                          P_INT(s->limit), READABLE_THINGS_PARAMS(&s->may)));
}

QUERY(job_cancel_sql, "UPDATE job SET cancel = true,"
                      " state = CASE WHEN state = 'running' THEN state ELSE 'cancelled' END,"
                      " finished_at = CASE WHEN state = 'running' THEN finished_at ELSE now() END"
                      " WHERE tenant_id = current_tenant() AND id = $1::uuid"
                      "   AND state IN ('waiting', 'queued', 'running')");

enum err job_cancel(struct db *db, const char *id)
{
    return db_change(db, &job_cancel_sql, PARAMS(P_TEXT(id)));
}

QUERY(job_say_sql, "INSERT INTO job_event (tenant_id, job_id, kind, data)"
                   " VALUES (current_tenant(), $1::uuid, $2, $3::json)");

enum err job_say(struct db *db, const char *id, const char *kind, json_t *data)
{
    enum err e = db_defer(db, &job_say_sql, PARAMS(P_TEXT(id), P_TEXT(kind), P_JSON(data)));

    json_decref(data);
    return e;
}

static const struct field event_fields[] = {
    INT(struct job_event, seq, 0, INT64_MAX),
    TIME(struct job_event, at),
    TEXT(struct job_event, kind, 20),
    OBJECT(struct job_event, data),
    FIELDS_END,
};

QUERY(job_events_sql,
      "SELECT seq, at, kind, data FROM job_event"
      " WHERE tenant_id = current_tenant() AND job_id = $1::uuid AND seq > $2::bigint"
      " ORDER BY seq LIMIT 1000");

enum err job_events(struct db *db, const char *id, int64_t after, struct rows *out)
{
    return db_list(db, &job_events_sql, event_fields, sizeof(struct job_event), out,
                   PARAMS(P_TEXT(id), P_INT(after)));
}
