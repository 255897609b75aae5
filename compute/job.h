/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMPUTE_JOB_H
#define COMPUTE_JOB_H

#include "auth/auth.h"
#include "core/request.h"

/* Work for the engine, as a row. It waits for its approval, is queued, runs under a lease, and ends
 * as succeeded, failed or cancelled. */
struct job {
    const char *id;
    const char *project;
    const char *kind; /* train or predict */
    json_t *spec;     /* canonical: names the digests of its inputs */
    const char *state;
    const char *approval; /* id, or NULL when the policy wants none */
    int64_t attempts;
    double progress; /* 0 … 1 */
    const char *message;
    json_t *result;     /* metrics and counts once it succeeded */
    const char *input;  /* datasets/cancer/versions/1 */
    const char *model;  /* of predict: models/risk/versions/1 */
    const char *output; /* once it succeeded */
    const char *requested_by;
    const char *created_at;
    const char *started_at;
    const char *finished_at;
    bool cancel; /* somebody asked for its end */
};

extern const struct field job_fields[];

/* What a new row needs. */
struct job_new {
    const char *id;
    const char *project_id;
    const char *kind;
    const json_t *spec;
    struct digest spec_digest;
    const char *state; /* waiting or queued */
    const char *input_id;
    const char *model_id; /* NULL for train */
    const char *requested_by;
};

MUST_CHECK enum err job_insert(struct db *db, const struct job_new *job);
/* The job runs only while this approval is in force. */
MUST_CHECK enum err job_bind(struct db *db, const char *id, const char *approval_id);
/* A waiting job waits for this approval from now on. */
MUST_CHECK enum err job_await(struct db *db, const char *id, const char *approval_id);
/* Only one whose input, model and output may all be read. */
MUST_CHECK enum err job_find(struct db *db, const char *project_id, const char *id,
                             const struct readable_things *may, struct job *out);
/* Newest first, those made before the job called before; NULL for the first page. */
struct job_search {
    const char *project_id;
    const char *state;
    const char *before;
    int64_t limit;
    struct readable_things may;
};
MUST_CHECK enum err job_list(struct db *db, const struct job_search *s, struct rows *out);
/* Ask for its end: a waiting or queued job ends at once, a running one when its worker hears of it.
 * ERR_NOT_FOUND when it has ended already. */
MUST_CHECK enum err job_cancel(struct db *db, const char *id);

/* Append to what the job said on its way; kind is state or progress. Takes data. */
MUST_CHECK enum err job_say(struct db *db, const char *id, const char *kind, json_t *data);

struct job_event {
    int64_t seq;
    const char *at;
    const char *kind;
    json_t *data;
};
/* Those after seq, oldest first, at most 1000. */
MUST_CHECK enum err job_events(struct db *db, const char *id, int64_t after, struct rows *out);

#endif
