/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/run.h"

#include "auth/auth.h"
#include "registry/handlers.h"
#include "registry/mlflow/mlflow.h"
#include "registry/mlflow/run_http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { HISTORY_MAX = 25000, RUNS_MAX = 100, INTERVAL_MAX = 2500 };

static bool token_real(const char *text)
{
    char *end;

    (void)strtod(text, &end);
    return end != text && *end == '\0' && strlen(text) < 40 && strpbrk(text, "xXpP(") == NULL;
}

/* "at:step:value", as the last page said. */
static bool token_parse(struct arena *a, const char *token, struct metric_place *out)
{
    char *end;

    errno = 0;
    out->at = strtoll(token, &end, 10);
    if (errno != 0 || end == token || *end != ':')
        return false;
    token = end + 1;
    out->step = strtoll(token, &end, 10);
    if (errno != 0 || end == token || *end != ':' || !token_real(end + 1))
        return false;
    out->value = arena_text(a, end + 1);
    return true;
}

/* GET …/metrics/get-history */
enum err get_mlflow_metric_history(struct request *rq)
{
    struct metric_place after = {.at = INT64_MIN, .step = INT64_MIN, .value = "-Infinity"};
    int64_t limit = HISTORY_MAX;
    const char *json = NULL;
    const char *token;
    const char *key;
    const char *id;

    TRY(run_of_request(rq, &id));
    TRY(mlflow_need(rq, "metric_key", MLFLOW_KEY_MAX, &key));
    TRY(mlflow_int(rq, "max_results", 1, INT32_MAX, &limit));
    TRY(mlflow_text(rq, "page_token", 128, &token));
    if (token != NULL && !token_parse(rq->arena, token, &after))
        return mlflow_invalid(rq, "page_token", token);
    if (limit > HISTORY_MAX)
        limit = HISTORY_MAX;
    TRY(run_absent(rq, run_get(rq->db, auth_project_id(rq), id, &json), id));
    TRY(metric_history(rq->db, id, key, &after, limit, &json));
    return mlflow_reply(rq, json);
}

static enum err runs_of(struct request *rq, struct texts *runs)
{
    TRY(mlflow_texts(rq, "run_ids", RUNS_MAX, runs));
    if (runs->count == 0)
        TRY(mlflow_texts(rq, "run_id", RUNS_MAX, runs));
    if (runs->count == 0)
        return mlflow_missing(rq, "run_ids");
    for (size_t i = 0; i < runs->count; i++)
        TRY(mlflow_run_id(rq, runs->items[i], &runs->items[i]));
    return OK;
}

/* GET …/metrics/get-history-bulk-interval and …/get-history-bulk */
enum err get_mlflow_metric_interval(struct request *rq)
{
    struct metric_interval i = {.start = INT64_MIN, .end = INT64_MAX, .limit = INTERVAL_MAX};
    const char *json = NULL;

    TRY(runs_of(rq, &i.runs));
    TRY(mlflow_need(rq, "metric_key", MLFLOW_KEY_MAX, &i.key));
    TRY(mlflow_int(rq, "start_step", INT64_MIN, INT64_MAX, &i.start));
    TRY(mlflow_int(rq, "end_step", INT64_MIN, INT64_MAX, &i.end));
    TRY(mlflow_int(rq, "max_results", 1,
                   strstr(rq->route->path, "interval") ? INTERVAL_MAX : HISTORY_MAX, &i.limit));
    if (i.start > i.end)
        return fail(rq, ERR_INVALID, "end_step must be greater than start_step.");
    TRY(metric_interval(rq->db, auth_project_id(rq), &i, &json));
    return mlflow_reply(rq, json);
}
