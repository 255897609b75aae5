/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/job_work.h"

static const struct field work_fields[] = {
    TEXT(struct job_work, id, 36),
    TEXT(struct job_work, kind, 20),
    OBJECT(struct job_work, spec),
    TEXT(struct job_work, tenant, 63),
    TEXT(struct job_work, project_id, 36),
    TEXT(struct job_work, project, 63),
    TEXT(struct job_work, requested_by_id, 36),
    TEXT(struct job_work, requested_by, 63),
    TEXT(struct job_work, approval, 36),
    TEXT(struct job_work, input, 200),
    TEXT(struct job_work, input_id, 36),
    TEXT(struct job_work, input_sha256, 64),
    TEXT(struct job_work, model, 200),
    TEXT(struct job_work, model_id, 36),
    TEXT(struct job_work, model_sha256, 64),
    INT(struct job_work, attempts, 0, 100),
    INT(struct job_work, attempts_max, 0, 100),
    FIELDS_END,
};

QUERY(
    job_work_sql,
    "SELECT j.id, j.kind, j.spec, t.name AS tenant, j.project_id, p.name AS project,"
    "       j.requested_by AS requested_by_id, r.name AS requested_by, j.approval_id AS approval,"
    "       format('projects/%s/datasets/%s/versions/%s', ip.name, ia.name, iv.number) AS input, "
    "j.input_id,"
    "       (SELECT f.sha256 FROM version_file f WHERE f.tenant_id = iv.tenant_id"
    "           AND f.version_id = iv.id AND lower(f.path) LIKE '%.csv' ORDER BY f.path LIMIT 1)"
    "       AS input_sha256,"
    "       CASE WHEN mv.id IS NOT NULL"
    "            THEN format('projects/%s/models/%s/versions/%s', mp.name, ma.name, mv.number) END"
    "       AS model,"
    "       j.model_id,"
    "       (SELECT f.sha256 FROM version_file f WHERE f.tenant_id = mv.tenant_id"
    "           AND f.version_id = mv.id AND f.path = 'model.onnx') AS model_sha256,"
    "       j.attempts, j.attempts_max"
    "  FROM job j JOIN tenant t ON t.tenant_id = j.tenant_id"
    "  JOIN project p ON p.tenant_id = j.tenant_id AND p.id = j.project_id"
    "  JOIN principal r ON r.tenant_id = j.tenant_id AND r.id = j.requested_by"
    "  JOIN version iv ON iv.tenant_id = j.tenant_id AND iv.id = j.input_id"
    "  JOIN asset ia ON ia.tenant_id = iv.tenant_id AND ia.id = iv.asset_id"
    "  JOIN project ip ON ip.tenant_id = ia.tenant_id AND ip.id = ia.project_id"
    "  LEFT JOIN version mv ON mv.tenant_id = j.tenant_id AND mv.id = j.model_id"
    "  LEFT JOIN asset ma ON ma.tenant_id = mv.tenant_id AND ma.id = mv.asset_id"
    "  LEFT JOIN project mp ON mp.tenant_id = ma.tenant_id AND mp.id = ma.project_id"
    " WHERE j.tenant_id = current_tenant() AND j.id = $1::uuid");

enum err job_work_load(struct db *db, const char *id, struct job_work *out)
{
    return db_one(db, &job_work_sql, work_fields, out, PARAMS(P_TEXT(id)));
}

struct beat {
    bool go;
};

static const struct field beat_fields[] = {BOOL(struct beat, go), FIELDS_END};

QUERY(
    job_beat_sql,
    "UPDATE job j SET lease_until = now() + make_interval(secs => $2::int), progress = $3::float8,"
    "       message = $4"
    " WHERE j.tenant_id = current_tenant() AND j.id = $1::uuid AND j.state = 'running'"
    " RETURNING NOT j.cancel AND (j.approval_id IS NULL OR EXISTS (SELECT FROM approval a"
    "     WHERE a.tenant_id = j.tenant_id AND a.id = j.approval_id AND a.state = 'approved'"
    "       AND a.expires_at > now() AND a.subject_digest = j.spec_digest)) AS go");

enum err job_beat(struct db *db, const char *id, int64_t lease_seconds, double progress,
                  const char *message, bool *go)
{
    struct beat beat = {.go = false};
    enum err e =
        db_one(db, &job_beat_sql, beat_fields, &beat,
               PARAMS(P_TEXT(id), P_INT(lease_seconds), P_REAL(progress), P_TEXT(message)));

    *go = beat.go;
    return e;
}

QUERY(
    job_finish_sql,
    "UPDATE job SET state = $2, message = left($3, 2000), output_id = $4::uuid, result = $5::json,"
    "       progress = CASE WHEN $2 = 'succeeded' THEN 1 ELSE progress END, lease_until = NULL,"
    "       finished_at = CASE WHEN $2 = 'queued' THEN NULL ELSE now() END"
    " WHERE tenant_id = current_tenant() AND id = $1::uuid AND state = 'running'");

enum err job_finish(struct db *db, const char *id, const char *state, const char *message,
                    const char *output_id, const json_t *result)
{
    return db_change(
        db, &job_finish_sql,
        PARAMS(P_TEXT(id), P_TEXT(state), P_TEXT(message), P_TEXT(output_id), P_JSON(result)));
}

struct abandoned {
    const char *state;
};

static const struct field abandoned_fields[] = {TEXT(struct abandoned, state, 20), FIELDS_END};

QUERY(job_abandon_sql,
      "UPDATE job j SET finished_at = now(), lease_until = NULL,"
      "       state = CASE WHEN cancel OR j.state <> 'running' THEN 'cancelled' ELSE 'failed' END,"
      "       message = CASE WHEN cancel THEN 'cancelled on request'"
      "                      WHEN j.state = 'running' THEN 'every attempt was cut short'"
      "                      ELSE 'its approval is no longer in force' END"
      " WHERE j.tenant_id = current_tenant() AND j.id = $1::uuid"
      "   AND (j.state IN ('queued', 'waiting')"
      "        OR (j.state = 'running' AND j.lease_until < now()))"
      " RETURNING j.state");

enum err job_abandon(struct db *db, const char *id, const char **state)
{
    struct abandoned abandoned;

    TRY(db_one(db, &job_abandon_sql, abandoned_fields, &abandoned, PARAMS(P_TEXT(id))));
    *state = abandoned.state;
    return OK;
}
