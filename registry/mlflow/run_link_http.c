/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/run.h"

#include "auth/auth.h"
#include "lineage/graph/provenance.h"
#include "registry/handlers.h"
#include "registry/mlflow/linked.h"
#include "registry/mlflow/logged_model.h"
#include "registry/mlflow/mlflow.h"
#include "registry/mlflow/run_http.h"

#include <string.h>

enum {
    INPUTS_MAX = 100,
    DATASET_NAME = 500,
    DATASET_DIGEST = 36,
    DATASET_SOURCE = 65535,
    DATASET_SCHEMA = 1048575,
    DATASET_PROFILE = 16777215
};

static enum err member_check(struct request *rq, const json_t *dataset, const char *name,
                             size_t max, bool needed)
{
    const char *text = mlflow_member(dataset, name);

    if (text == NULL && json_object_get(dataset, name) != NULL &&
        !json_is_null(json_object_get(dataset, name)))
        return mlflow_invalid(rq, name, "of a dataset");
    if (needed && (text == NULL || *text == '\0'))
        return mlflow_missing(rq, name);
    if (text != NULL && strlen(text) > max)
        return fail(rq, ERR_INVALID, "Dataset %s exceeds the maximum length of %zu", name, max);
    return OK;
}

/* The dataset is a node of the lineage, upstream of the run. */
static enum err trace(struct request *rq, const json_t *dataset, const char *run)
{
    const char *node =
        arena_printf(rq->arena, "projects/%s/mlflow-datasets/%s/%s", rq->project,
                     mlflow_member(dataset, "name"), mlflow_member(dataset, "digest"));

    TRY(provenance_node(rq->db, "dataset", node, rq->project, NULL));
    return provenance_edge(rq->db, node, run, "consume", rq->id);
}

static enum err add_dataset(struct request *rq, const char *id, const json_t *input,
                            const char *node)
{
    const json_t *dataset = json_object_get(input, "dataset");
    const json_t *tags = json_object_get(input, "tags");

    if (!json_is_object(dataset))
        return mlflow_missing(rq, "dataset");
    TRY(member_check(rq, dataset, "name", DATASET_NAME, true));
    TRY(member_check(rq, dataset, "digest", DATASET_DIGEST, true));
    TRY(member_check(rq, dataset, "source_type", DATASET_SOURCE, false));
    TRY(member_check(rq, dataset, "source", DATASET_SOURCE, false));
    TRY(member_check(rq, dataset, "schema", DATASET_SCHEMA, false));
    TRY(member_check(rq, dataset, "profile", DATASET_PROFILE, false));
    TRY(run_add_input(rq->db, id, dataset, json_is_array(tags) ? tags : NULL));
    return trace(rq, dataset, node);
}

/* A model that is not there is passed over, as it is by what keeps the list. */
static enum err trace_model(struct request *rq, const char *id, const char *model, bool output)
{
    const char *made_by, *node, *run;
    enum err e = logged_model_run(rq->db, auth_project_id(rq), model, &made_by);

    if (e == ERR_NOT_FOUND)
        return OK;
    TRY(e);
    TRY(logged_model_node(rq, model, made_by, &node));
    TRY(run_node(rq, id, &run));
    return output ? provenance_edge(rq->db, run, node, "produce", rq->id)
                  : provenance_edge(rq->db, node, run, "consume", rq->id);
}

static enum err add_models(struct request *rq, const char *id, const char *list, bool output)
{
    const json_t *models, *item;
    size_t i;

    TRY(mlflow_list(rq, list, INPUTS_MAX, &models));
    json_array_foreach(models, i, item)
    {
        const char *text = mlflow_member(item, "model_id");
        const json_t *step = json_object_get(item, "step");
        const char *model;
        int64_t number = 0;

        if (text == NULL)
            return mlflow_missing(rq, "model_id");
        TRY(mlflow_model_id(rq, text, &model));
        if (step != NULL && !mlflow_number(step, &number))
            return mlflow_invalid(rq, "step", "of a model");
        TRY(run_add_model(rq->db, auth_project_id(rq), id, model, output, number));
        TRY(trace_model(rq, id, model, output));
    }
    return OK;
}

/* POST …/runs/log-inputs */
enum err post_mlflow_log_inputs(struct request *rq)
{
    const json_t *datasets, *item;
    int64_t experiment;
    const char *node;
    const char *id;
    size_t i;

    TRY(run_of_request(rq, &id));
    TRY(mlflow_list(rq, "datasets", INPUTS_MAX, &datasets));
    TRY(run_absent(rq, run_experiment(rq->db, auth_project_id(rq), id, &experiment), id));
    if (json_array_size(datasets) > 0) {
        TRY(run_node(rq, id, &node));
        json_array_foreach(datasets, i, item) TRY(add_dataset(rq, id, item, node));
    }
    TRY(add_models(rq, id, "models", false));
    return mlflow_reply_empty(rq);
}

/* POST …/runs/outputs */
enum err post_mlflow_log_outputs(struct request *rq)
{
    int64_t experiment;
    const char *id;

    TRY(run_of_request(rq, &id));
    TRY(run_absent(rq, run_experiment(rq->db, auth_project_id(rq), id, &experiment), id));
    TRY(add_models(rq, id, "models", true));
    return mlflow_reply_empty(rq);
}

/* POST …/runs/log-model, of clients before 3: the model's description is kept as a tag. */
enum err post_mlflow_log_model(struct request *rq)
{
    const char *key = "";
    const char *old = "";
    const char *model;
    const char *id;
    struct run_batch b = {.at = NULL};

    TRY(run_of_request(rq, &id));
    TRY(mlflow_need(rq, "model_json", 1 << 20, &model));
    b.tags = (struct texts){.items = (const char *[]){"mlflow.log-model.history"}, .count = 1};
    b.tag_values = (struct texts){.items = (const char *[]){arena_printf(rq->arena, "[%s]", model)},
                                  .count = 1};
    TRY(run_absent(rq, run_log(rq->db, auth_project_id(rq), id, &b, &key, &old), id));
    return mlflow_reply_empty(rq);
}
