/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/approval.h"

#include "lineage/graph/provenance.h"
#include "registry/alias.h"

#include <string.h>

static bool promotes(const struct approval *a)
{
    return strcmp(a->action, "promote") == 0;
}

struct job_state {
    bool waiting;
};

static const struct field job_state_fields[] = {
    BOOL(struct job_state, waiting),
    FIELDS_END,
};

QUERY(approval_job_sql,
      "SELECT state = 'waiting' AND NOT cancel AND spec_digest = decode($2, 'hex')"
      " AS waiting FROM job WHERE tenant_id = current_tenant()"
      " AND id = $1::uuid FOR UPDATE");

/* Built anew, the evidence must come out the same: any change, of the version itself or of what the
 * alias means by now, makes the request void. */
enum err approval_stands(struct db *db, const char *project_id, const struct approval *a,
                         bool *stands)
{
    struct job_state job;
    struct version v;
    struct digest now;
    uint8_t shown[SHA256_SIZE];
    json_t *evidence;
    enum err e;

    *stands = false;
    if (!promotes(a)) {
        TRY(db_one(db, &approval_job_sql, job_state_fields, &job,
                   PARAMS(P_TEXT(a->job_id), P_TEXT(a->subject_digest))));
        *stands = job.waiting;
        return OK;
    }
    e = version_by_id(db, a->version_id, &v);
    if (e == ERR_NOT_FOUND || (e == OK && strcmp(v.digest, a->subject_digest) != 0))
        return OK;
    TRY(e);
    TRY(alias_lock(db, v.asset_id));
    TRY(approval_evidence(db, project_id, &v, a->alias, &evidence));
    TRY(evidence_digest(evidence, &now));
    *stands = hex_decode(a->evidence_digest, shown, sizeof(shown)) &&
              memcmp(shown, now.bytes, sizeof(shown)) == 0;
    return OK;
}

static enum err node(struct db *db, const struct approval *a, const char **name)
{
    uint8_t digest[SHA256_SIZE];

    if (!hex_decode(a->evidence_digest, digest, sizeof(digest)))
        return ERR_INTERNAL;
    *name = arena_printf(db->arena, "projects/%s/approvals/%s", a->project, a->id);
    return provenance_node(db, "approval", *name, a->project, digest);
}

static enum err promote(struct db *db, const struct approval *a, const char *by,
                        const char *request_id)
{
    const char *approval;
    struct version v;

    TRY(version_by_id(db, a->version_id, &v));
    TRY(alias_set(db, &(struct alias_move){.asset_id = v.asset_id,
                                           .alias = a->alias,
                                           .version_id = v.id,
                                           .approval_id = a->id,
                                           .by = by}));
    TRY(node(db, a, &approval));
    return provenance_edge(db, version_node(db->arena, &v), approval, "approve", request_id);
}

QUERY(approval_queue_job,
      "WITH j AS (UPDATE job SET state = 'queued' WHERE tenant_id = current_tenant()"
      " AND id = $1::uuid AND state = 'waiting' RETURNING tenant_id, id)"
      " INSERT INTO job_event (tenant_id, job_id, kind, data)"
      " SELECT tenant_id, id, 'state', '{\"state\": \"queued\"}' FROM j");

enum err approval_carry_out(struct db *db, const struct approval *a, const char *by,
                            const char *request_id)
{
    const char *approval;

    if (promotes(a))
        return promote(db, a, by, request_id);
    TRY(db_change(db, &approval_queue_job, PARAMS(P_TEXT(a->job_id))));
    return node(db, a, &approval);
}

QUERY(approval_end_deployments,
      "UPDATE deployment SET ended_at = now() WHERE tenant_id = current_tenant()"
      " AND approval_id = $1::uuid AND ended_at IS NULL");
/* A running job is told to stop; its worker says when it has. */
QUERY(approval_stop_jobs,
      "WITH j AS (UPDATE job SET cancel = true,"
      " state = CASE WHEN state = 'running' THEN state ELSE 'cancelled' END,"
      " finished_at = CASE WHEN state = 'running' THEN finished_at ELSE now() END, message = $2"
      " WHERE tenant_id = current_tenant() AND approval_id = $1::uuid"
      " AND state IN ('waiting', 'queued', 'running') RETURNING tenant_id, id, state, message)"
      " INSERT INTO job_event (tenant_id, job_id, kind, data)"
      " SELECT tenant_id, id, 'state', json_build_object('state', state, 'message', message)"
      " FROM j WHERE state = 'cancelled'");

enum err approval_undo(struct db *db, const struct approval *a, const char *by, const char *why)
{
    if (!promotes(a))
        return db_run(db, &approval_stop_jobs, NULL, PARAMS(P_TEXT(a->id), P_TEXT(why)));
    TRY(db_defer_any(db, &approval_end_deployments, PARAMS(P_TEXT(a->id))));
    return alias_remove_approved(db, a->id, by);
}
