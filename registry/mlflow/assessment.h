/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MLFLOW_ASSESSMENT_H
#define MLFLOW_ASSESSMENT_H

#include "core/request.h"

/* What people, judges and programs think of a trace. Texts that are NULL were not said. */
struct assessment {
    const char *id;
    const char *kind; /* feedback, expectation or issue: the member content is */
    const char *name;
    const char *source_type;
    const char *source_id;
    const json_t *content;
    const char *value;  /* what searches compare with texts */
    const char *number; /* the same, if it is a number */
    const char *rationale;
    const json_t *metadata;
    const char *span_id;
    const char *overrides; /* id of the one that is no longer valid */
    bool valid;
    int64_t created_ms;
    int64_t updated_ms;
    const char *by; /* principal's id */
};

/* {"assessment":…} is *json. ERR_NOT_FOUND without the trace, or without what it overrides. */
MUST_CHECK enum err assessment_create(struct db *db, const char *project_id, const char *trace,
                                      const struct assessment *a, const char **json);
/* The same, but what the trace has already is passed over. */
MUST_CHECK enum err assessment_create_once(struct db *db, const char *project_id, const char *trace,
                                           const struct assessment *a);
MUST_CHECK enum err assessment_get(struct db *db, const char *project_id, const char *trace,
                                   const char *id, const char **json);
/* What is NULL stays; metadata is added to. ERR_NOT_FOUND also when it is of another kind. */
MUST_CHECK enum err assessment_update(struct db *db, const char *project_id, const char *trace,
                                      const struct assessment *a, const char **json);
/* What it had overridden is valid again. */
MUST_CHECK enum err assessment_remove(struct db *db, const char *project_id, const char *trace,
                                      const char *id);

/* Keep the list that came with a trace, once. TX_WRITE. */
MUST_CHECK enum err assessments_of_trace(struct request *rq, const char *trace, const json_t *list);

#endif
