/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MLFLOW_MLFLOW_H
#define MLFLOW_MLFLOW_H

#include "core/request.h"

/* What the routes for MLflow's clients share. Parameters come in the query of a GET and in the body
 * of everything else; unknown ones are ignored; integers may be numeric texts; messages are those
 * that the clients test for. */

enum {
    MLFLOW_KEY_MAX = 250,      /* of metrics, parameters and tags */
    MLFLOW_PARAM_MAX = 6000,   /* longer values are cut */
    MLFLOW_TAG_MAX = 8000,     /* longer values are cut */
    MLFLOW_METRICS_MAX = 1000, /* in one request; with the following together too */
    MLFLOW_PARAMS_MAX = 100,
    MLFLOW_TAGS_MAX = 100,
    MLFLOW_PAGE_MAX = 50000,
};

/* The text, NULL when absent or empty. ERR_INVALID for another type or over max bytes. */
MUST_CHECK enum err mlflow_text(struct request *rq, const char *name, size_t max, const char **out);
/* The same, but absent is ERR_INVALID. */
MUST_CHECK enum err mlflow_need(struct request *rq, const char *name, size_t max, const char **out);
/* Within bounds, or fallback when absent. */
MUST_CHECK enum err mlflow_int(struct request *rq, const char *name, int64_t least, int64_t most,
                               int64_t *inout);
/* The offset that the token of a page names, "+20"; 0 without one. */
MUST_CHECK enum err mlflow_offset(struct request *rq, int64_t *offset);
/* The member of a body as a list of at most max items; NULL when absent. */
MUST_CHECK enum err mlflow_list(struct request *rq, const char *name, size_t max,
                                const json_t **out);
/* All values of a repeated query parameter, or of a list of texts in the body. */
MUST_CHECK enum err mlflow_texts(struct request *rq, const char *name, size_t max,
                                 struct texts *out);

/* ERR_INVALID in MLflow's words. */
enum err mlflow_missing(struct request *rq, const char *name);
enum err mlflow_invalid(struct request *rq, const char *name, const char *value);

/* Members of an object in a list. NULL when absent. */
const char *mlflow_member(const json_t *object, const char *name);
bool mlflow_number(const json_t *value, int64_t *out);
/* A double as PostgreSQL reads it: the infinities are the largest finite numbers, as in MLflow. */
bool mlflow_real(struct arena *a, const json_t *value, const char **out);
/* At most max bytes of a UTF-8 text, cut between characters. */
const char *mlflow_cut(struct arena *a, const char *text, size_t max);

/* Name of a metric, parameter or tag: ERR_INVALID unless it is one. */
MUST_CHECK enum err mlflow_key_check(struct request *rq, const char *what, const char *key);

/* 32 hexadecimal digits as a UUID; ERR_NOT_FOUND for what can be no id. Model ids begin with m-. */
MUST_CHECK enum err mlflow_run_id(struct request *rq, const char *text, const char **uuid);
MUST_CHECK enum err mlflow_model_id(struct request *rq, const char *text, const char **uuid);
MUST_CHECK enum err mlflow_experiment_id(struct request *rq, const char *text, int64_t *out);

/* {"key":…,"value":…} items as one JSON object of texts, values cut at max; NULL items are {}. */
MUST_CHECK enum err mlflow_pairs(struct request *rq, const json_t *items, size_t max,
                                 json_t **object);

/* The only column of the only row, JSON text, is the reply. ERR_NOT_FOUND for no row or NULL. */
MUST_CHECK enum err mlflow_json(struct db *db, const struct query *q, const char **out,
                                const struct param *params, size_t count);
enum err mlflow_reply(struct request *rq, const char *json);
enum err mlflow_reply_empty(struct request *rq); /* {} */

#endif
