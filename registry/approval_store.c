/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/approval.h"

#include <string.h>

#define APPROVAL_SHOWN                                                                             \
    TEXT(struct approval, id, 36), NAME(struct approval, project),                                 \
        TEXT(struct approval, action, 10), TEXT(struct approval, subject, 200),                    \
        TEXT(struct approval, alias, 63), TEXT(struct approval, state, 10),                        \
        INT(struct approval, required, 1, 10), JSON(struct approval, decisions),                   \
        OBJECT(struct approval, evidence), TEXT(struct approval, evidence_digest, 64),             \
        TEXT(struct approval, subject_digest, 64), NAME(struct approval, requested_by),            \
        OPT_TEXT(struct approval, reason, 2000), TIME(struct approval, created_at),                \
        TIME(struct approval, expires_at), TEXT(struct approval, closed_by, 63),                   \
        TIME(struct approval, closed_at)

const struct field approval_fields[] = {APPROVAL_SHOWN, FIELDS_END};

static const struct field approval_columns[] = {
    APPROVAL_SHOWN,
    TEXT(struct approval, stored_state, 10),
    TEXT(struct approval, version_id, 36),
    TEXT(struct approval, job_id, 36),
    TEXT(struct approval, requester_id, 36),
    TEXTS(struct approval, things, 8),
    FIELDS_END,
};

#define APPROVAL_STATE                                                                             \
    "CASE WHEN a.state IN ('pending', 'approved') AND a.expires_at <= now() THEN 'expired'"        \
    " ELSE a.state END"

#define APPROVAL_SELECT                                                                            \
    "SELECT a.id, p.name AS project, a.action, a.subject, a.alias, " APPROVAL_STATE " AS state,"   \
    " a.required, (SELECT coalesce(jsonb_agg(jsonb_build_object('by', q.name, 'verdict',"          \
    "   d.verdict, 'reason', d.reason, 'at', to_char(d.at AT TIME ZONE 'UTC',"                     \
    "   'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')) ORDER BY d.at), '[]') FROM approval_decision d"      \
    "   JOIN principal q ON q.tenant_id = d.tenant_id AND q.id = d.decided_by"                     \
    "   WHERE d.tenant_id = a.tenant_id AND d.approval_id = a.id) AS decisions,"                   \
    " a.evidence, a.evidence_digest, a.subject_digest, r.name AS requested_by, a.reason,"          \
    " a.created_at, a.expires_at, c.name AS closed_by, a.closed_at, a.state AS stored_state,"      \
    " a.version_id, a.job_id, a.requested_by AS requester_id, approval_things(a) AS things"        \
    " FROM approval a JOIN project p ON p.tenant_id = a.tenant_id AND p.id = a.project_id"         \
    " JOIN principal r ON r.tenant_id = a.tenant_id AND r.id = a.requested_by"                     \
    " LEFT JOIN principal c ON c.tenant_id = a.tenant_id AND c.id = a.closed_by"                   \
    " WHERE a.tenant_id = current_tenant()"

QUERY(approval_find_sql, APPROVAL_SELECT " AND a.project_id = $1::uuid AND a.id = $2::uuid");
QUERY(approval_lock_sql,
      APPROVAL_SELECT " AND a.project_id = $1::uuid AND a.id = $2::uuid FOR UPDATE OF a");

enum err approval_find(struct db *db, const char *project_id, const char *id, struct approval *out)
{
    return db_one(db, &approval_find_sql, approval_columns, out,
                  PARAMS(P_TEXT(project_id), P_TEXT(id)));
}

enum err approval_lock(struct db *db, const char *project_id, const char *id, struct approval *out)
{
    return db_one(db, &approval_lock_sql, approval_columns, out,
                  PARAMS(P_TEXT(project_id), P_TEXT(id)));
}

QUERY(approval_list_sql, APPROVAL_SELECT
      " AND p.state = 'active' AND p.name = ANY ($1::text[])"
      " AND ($2::text IS NULL OR $2 = " APPROVAL_STATE
      ") AND a.id < $3::uuid" READABLE_THINGS("p.name", "approval_things(a)", "5", "6",
                                              "7") " ORDER BY a.id DESC LIMIT $4::bigint");

enum err approval_list(struct db *db, const struct approval_search *s, struct rows *out)
{
    return db_list(db, &approval_list_sql, approval_columns, sizeof(struct approval), out,
                   PARAMS(P_TEXTS(s->projects->items, s->projects->count), P_TEXT(s->state),
                          P_TEXT(s->before), P_INT(s->limit), READABLE_THINGS_PARAMS(&s->may)));
}

/* A request nobody decided in time makes room for the next. */
QUERY(approval_lapse_sql,
      "UPDATE approval SET state = 'void', closed_at = now() WHERE tenant_id = current_tenant()"
      " AND version_id = $1::uuid AND alias = $2 AND state = 'pending' AND expires_at <= now()");
QUERY(approval_insert_sql,
      "INSERT INTO approval (tenant_id, id, project_id, action, subject, version_id, job_id, alias,"
      " subject_digest, evidence, evidence_digest, required, reason, requested_by, expires_at)"
      " VALUES (current_tenant(), $1::uuid, $2::uuid, $3, $4, $5::uuid, $6::uuid, $7,"
      " decode($8, 'hex'), $9::json, $10::bytea, $11::int, $12, $13::uuid,"
      " now() + make_interval(hours => $14::int))");
/* Who asked, who made it, who trained it, whose data it was, and who answers for a service account
 * among them. */
QUERY(
    approval_parties_sql,
    "WITH x AS (SELECT * FROM approval WHERE tenant_id = current_tenant() AND id = $1::uuid),"
    " v AS (SELECT v.* FROM x JOIN version v ON v.tenant_id = x.tenant_id AND v.id = x.version_id),"
    " j AS (SELECT j.* FROM x LEFT JOIN v ON true JOIN job j ON j.tenant_id = x.tenant_id"
    "   AND j.id IN (x.job_id, v.job_id)),"
    " w (id, part) AS (SELECT requested_by, 'requester' FROM x"
    "   UNION SELECT unnest(created_by || contributors), 'author' FROM v"
    "   UNION SELECT requested_by, 'trainer' FROM j"
    "   UNION SELECT unnest(i.created_by || i.contributors), 'data' FROM j JOIN version i"
    "   ON i.tenant_id = j.tenant_id AND i.id IN (j.input_id, j.model_id))"
    " INSERT INTO approval_party (tenant_id, approval_id, principal_id, part)"
    " SELECT current_tenant(), $1::uuid, w.id, w.part FROM w"
    " UNION SELECT current_tenant(), $1::uuid, p.owner_id, 'owner' FROM w JOIN principal p"
    "   ON p.tenant_id = current_tenant() AND p.id = w.id WHERE p.owner_id IS NOT NULL");

enum err approval_file(struct db *db, const struct approval_draft *d, char id[ID_SIZE])
{
    struct digest shown;

    id_new(id);
    TRY(evidence_digest(d->evidence, &shown));
    TRY(db_defer_any(db, &approval_lapse_sql, PARAMS(P_TEXT(d->version_id), P_TEXT(d->alias))));
    TRY(db_change(db, &approval_insert_sql,
                  PARAMS(P_TEXT(id), P_TEXT(d->project_id), P_TEXT(d->action), P_TEXT(d->subject),
                         P_TEXT(d->version_id), P_TEXT(d->job_id), P_TEXT(d->alias),
                         P_TEXT(d->subject_digest), P_JSON(d->evidence),
                         P_BYTES(shown.bytes, SHA256_SIZE), P_INT(d->required), P_TEXT(d->reason),
                         P_TEXT(d->requested_by), P_INT(d->hours))));
    return db_run(db, &approval_parties_sql, NULL, PARAMS(P_TEXT(id)));
}

enum err approval_file_train(struct request *rq, const struct train_request *t,
                             const char **approval_id)
{
    char digest[2 * SHA256_SIZE + 1];
    struct approval_draft d = {.project_id = t->project_id,
                               .action = "train",
                               .subject = arena_printf(rq->arena, "jobs/%s", t->job_id),
                               .job_id = t->job_id,
                               .subject_digest = digest,
                               .evidence = t->evidence,
                               .required = t->rules->train.approvals,
                               .hours = t->rules->approval_hours,
                               .reason = "",
                               .requested_by = rq->caller.id};
    char id[ID_SIZE];

    hex_encode(t->digest.bytes, SHA256_SIZE, digest);
    TRY(approval_file(rq->db, &d, id));
    *approval_id = arena_text(rq->arena, id);
    return OK;
}

struct part {
    const char *part;
};

static const struct field part_fields[] = {
    TEXT(struct part, part, 10),
    FIELDS_END,
};

/* The trigger four_eyes holds the same rule; this gives it words. */
QUERY(approval_part_sql,
      "WITH me AS (SELECT coalesce(owner_id, id) AS person FROM principal"
      "   WHERE tenant_id = current_tenant() AND id = $2::uuid),"
      " w AS (SELECT principal_id, part FROM approval_party"
      "   WHERE tenant_id = current_tenant() AND approval_id = $1::uuid"
      "  UNION ALL SELECT decided_by, 'decision' FROM approval_decision"
      "   WHERE tenant_id = current_tenant() AND approval_id = $1::uuid)"
      " SELECT w.part FROM w JOIN principal p ON p.tenant_id = current_tenant()"
      " AND p.id = w.principal_id JOIN me ON me.person IN (p.id, p.owner_id)"
      " ORDER BY array_position('{requester,author,trainer,data,owner,decision}', w.part) LIMIT 1");

enum err approval_part(struct db *db, const struct approval *a, const char *principal_id,
                       const char **part)
{
    struct part p;

    TRY(db_one(db, &approval_part_sql, part_fields, &p,
               PARAMS(P_TEXT(a->id), P_TEXT(principal_id))));
    *part = p.part;
    return OK;
}

struct tally {
    int64_t approvals;
};

static const struct field tally_fields[] = {
    INT(struct tally, approvals, 0, INT64_MAX),
    FIELDS_END,
};

QUERY(approval_decide_sql,
      "INSERT INTO approval_decision (tenant_id, approval_id, decided_by, requested_by, verdict,"
      " reason, evidence_digest) VALUES (current_tenant(), $1::uuid, $2::uuid, $3::uuid, $4, $5,"
      " decode($6, 'hex'))");
QUERY(approval_tally_sql, "SELECT count(*) AS approvals FROM approval_decision"
                          " WHERE tenant_id = current_tenant() AND approval_id = $1::uuid"
                          " AND verdict = 'approve'");

enum err approval_decide(struct db *db, const struct approval *a, const struct approval_verdict *v,
                         int64_t *approvals)
{
    struct tally t;

    TRY(db_change(db, &approval_decide_sql,
                  PARAMS(P_TEXT(a->id), P_TEXT(v->by), P_TEXT(a->requester_id), P_TEXT(v->verdict),
                         P_TEXT(v->reason), P_TEXT(a->evidence_digest))));
    TRY(db_one(db, &approval_tally_sql, tally_fields, &t, PARAMS(P_TEXT(a->id))));
    *approvals = t.approvals;
    return OK;
}

QUERY(approval_close_sql, "UPDATE approval SET state = $2, closed_by = $3::uuid, closed_at = now()"
                          " WHERE tenant_id = current_tenant() AND id = $1::uuid");

enum err approval_close(struct db *db, const struct approval *a, const char *state, const char *by)
{
    return db_change(db, &approval_close_sql, PARAMS(P_TEXT(a->id), P_TEXT(state), P_TEXT(by)));
}
