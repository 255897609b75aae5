/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_APPROVAL_H
#define REGISTRY_APPROVAL_H

#include "auth/auth.h"
#include "core/crypto.h"
#include "core/request.h"
#include "registry/rules.h"
#include "registry/version.h"

/* A request to do one governed thing, bound to the digest of what was shown. */
struct approval {
    const char *id;
    const char *project;
    const char *action;  /* "promote" or "train" */
    const char *subject; /* models/risk/versions/3, or jobs/ID */
    const char *alias;   /* of a promotion */
    const char *state;   /* pending, approved, rejected, revoked, void, or by the clock expired */
    int64_t required;
    json_t *decisions;
    json_t *evidence;
    const char *evidence_digest; /* hexadecimal SHA-256 of the canonical evidence */
    const char *subject_digest;
    const char *requested_by;
    const char *reason;
    const char *created_at;
    const char *expires_at;
    const char *closed_by;
    const char *closed_at;
    const char *stored_state; /* these are not shown */
    const char *version_id;
    const char *job_id;
    const char *requester_id;
    struct texts
        things; /* the assets it is about: "models/risk"; of a job, all it reads and makes */
};

extern const struct field approval_fields[];

MUST_CHECK enum err approval_find(struct db *db, const char *project_id, const char *id,
                                  struct approval *out);
/* The same, locked until the end of the transaction. */
MUST_CHECK enum err approval_lock(struct db *db, const char *project_id, const char *id,
                                  struct approval *out);
/* Newest first, below an id, in one of the projects named, about assets that may all be read; state
 * NULL for any. */
struct approval_search {
    const struct texts *projects;
    struct readable_things may;
    const char *state;
    const char *before;
    int64_t limit;
};
MUST_CHECK enum err approval_list(struct db *db, const struct approval_search *s, struct rows *out);

/* File a request, with everyone who had a part in what it is about. TX_WRITE. ERR_EXISTS when the
 * same promotion is asked for already. */
struct approval_draft {
    const char *project_id;
    const char *action;
    const char *subject;
    const char *version_id; /* of a promotion */
    const char *alias;
    const char *job_id;         /* of a training */
    const char *subject_digest; /* hexadecimal */
    const json_t *evidence;
    int64_t required;
    int64_t hours;
    const char *reason;
    const char *requested_by; /* principal's id */
};
MUST_CHECK enum err approval_file(struct db *db, const struct approval_draft *d, char id[ID_SIZE]);

/* For compute/, in the TX_WRITE that made the job (state "waiting"): file the approval it waits
 * for. The job is queued when that is approved and cancelled when it is rejected or revoked. */
struct train_request {
    const char *project_id;
    const char *project; /* name */
    const char *job_id;
    struct digest digest;   /* of the specification and what it reads */
    const json_t *evidence; /* what approvers are to see */
    const struct rules *rules;
};
MUST_CHECK enum err approval_file_train(struct request *rq, const struct train_request *t,
                                        const char **approval_id);

/* The evidence for letting alias mean a ready version; in the arena, the same for the same facts.
 */
MUST_CHECK enum err approval_evidence(struct db *db, const char *project_id,
                                      const struct version *v, const char *alias, json_t **out);
MUST_CHECK enum err evidence_digest(const json_t *evidence, struct digest *out);

/* What part a principal, or the person behind it, has in an approval: "requester", "author",
 * "trainer", "data", "owner" or "decision"; ERR_NOT_FOUND for none. */
MUST_CHECK enum err approval_part(struct db *db, const struct approval *a, const char *principal_id,
                                  const char **part);
struct approval_verdict {
    const char *by; /* principal's id */
    const char *verdict;
    const char *reason;
};
MUST_CHECK enum err approval_decide(struct db *db, const struct approval *a,
                                    const struct approval_verdict *v, int64_t *approvals);
/* To the state approved, rejected, revoked or void; by may be NULL. */
MUST_CHECK enum err approval_close(struct db *db, const struct approval *a, const char *state,
                                   const char *by);

/* Whether what was to be approved is still what the evidence shows. */
MUST_CHECK enum err approval_stands(struct db *db, const char *project_id, const struct approval *a,
                                    bool *stands);
/* Do what has been approved: move the alias or queue the job. request_id ties the lineage to it. */
MUST_CHECK enum err approval_carry_out(struct db *db, const struct approval *a, const char *by,
                                       const char *request_id);
/* Undo what rests on it: aliases, deployments, jobs that wait or run. why is what a job will say.
 */
MUST_CHECK enum err approval_undo(struct db *db, const struct approval *a, const char *by,
                                  const char *why);

#endif
