/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MLFLOW_TRACE_H
#define MLFLOW_TRACE_H

#include "core/request.h"

/* Traces of a project's applications, as MLflow's JSON texts. An id is its client's ("tr-" and 32
 * digits) and means something within one project only; key is ours. What is not there is
 * ERR_NOT_FOUND. */
enum {
    TRACE_ID_MAX = 64,
    TRACE_PREVIEW_MAX = 10000,   /* longer ones are cut */
    TRACE_VALUE_MAX = 8000,      /* of tags and metadata; longer ones are cut */
    TRACE_LABELS_MAX = 1000,     /* tags or metadata of a trace in one request */
    TRACE_IDS_MAX = 100,         /* asked for at once */
    TRACE_PAGE_MAX = 500,        /* found at once */
    TRACE_REPLY_MAX = 128 << 20, /* bytes of an answer with spans */
};

/* The parameter trace_id of a path, well formed; the object of the request. */
MUST_CHECK enum err trace_of_path(struct request *rq, const char **id);
/* ERR_NOT_FOUND in MLflow's words; every other e as it is. */
enum err trace_absent(struct request *rq, enum err e, const char *id);
bool trace_id_valid(const char *id);

/* {"trace":{"trace_info":…}} */
MUST_CHECK enum err trace_get(struct db *db, const char *project_id, const char *id,
                              const char **json);
/* {"trace_infos":[…]}, of those that there are, in the order of ids. */
MUST_CHECK enum err trace_infos(struct db *db, const char *project_id, const struct texts *ids,
                                const char **json);
/* The same traces with their spans, as OpenTelemetry's JSON: {"trace_info":…,"spans":[…]},… */
MUST_CHECK enum err trace_whole(struct db *db, const char *project_id, const struct texts *ids,
                                struct text *out);

/* The UUID by which artifacts name a trace of the experiment. */
MUST_CHECK enum err trace_key(struct db *db, const char *project_id, const char *id,
                              int64_t experiment_id, const char **key);

struct trace_draft {
    const char *id;
    int64_t experiment_id;
    const char *state;
    int64_t start_ms;
    int64_t duration_ms; /* -1: not said */
    const char *client_request_id;
    const char *request_preview;
    const char *response_preview;
    const json_t *metadata;
    const json_t *tags;
    const char *by; /* principal's id */
};
/* Describe a trace; what its spans said before gives way. ERR_NOT_FOUND without such an active
 * experiment, ERR_EXISTS when another experiment has it. TX_WRITE. */
MUST_CHECK enum err trace_start(struct db *db, const char *project_id, const struct trace_draft *d);

/* value NULL: remove; ERR_NOT_FOUND without the trace, ERR_CONFLICT without such a tag. */
MUST_CHECK enum err trace_set_tag(struct db *db, const char *project_id, const char *id,
                                  const char *key, const char *value);
/* Traces that are not there are passed over. */
MUST_CHECK enum err trace_link_run(struct db *db, const char *project_id, const struct texts *ids,
                                   const char *run);

struct trace_deletion {
    int64_t experiment_id;
    const struct texts *ids; /* empty: the oldest until until_ms */
    int64_t until_ms;
    int64_t most;
    int64_t kept_ms; /* what came to us after that stays */
};
/* How many of the traces would stay. */
MUST_CHECK enum err trace_count_kept(struct db *db, const char *project_id,
                                     const struct trace_deletion *d, int64_t *count);
/* With spans, assessments and artifacts. TX_WRITE. */
MUST_CHECK enum err trace_delete(struct db *db, const char *project_id,
                                 const struct trace_deletion *d, int64_t *deleted);

#endif
