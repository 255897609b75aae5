/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/linked.h"

#include "core/db.h"
#include "lineage/graph/code.h"
#include "lineage/graph/provenance.h"
#include "registry/mlflow/mlflow.h"
#include "registry/mlflow/run_http.h"
#include "registry/reply.h"
#include "registry/source.h"

#include <string.h>

enum { PROMPTS_MAX = 100, NOTEBOOK_MAX = 1000 };

static const char notebook[] = "NOTEBOOK";

void linked_note(struct linked *l, const char *key, const char *value)
{
    const struct {
        const char *key;
        const char **to;
    } tags[] = {
        {"mlflow.source.git.commit", &l->commit},
        {"mlflow.git.commit", &l->commit},
        {"mlflow.source.git.repoURL", &l->repository},
        {"mlflow.git.repo_url", &l->repository},
        {"mlflow.source.name", &l->source},
        {"mlflow.source.type", &l->type},
        {LINKED_PROMPTS, &l->prompts},
    };

    if (strncmp(key, "mlflow.", 7) != 0)
        return;
    for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
        if (strcmp(tags[i].key, key) == 0)
            *tags[i].to = value;
}

void linked_note_all(struct linked *l, const json_t *tags)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)tags, key, value)
    {
        if (json_is_string(value))
            linked_note(l, key, json_string_value(value));
    }
}

bool linked_any(const struct linked *l)
{
    return l->commit != NULL || l->repository != NULL || l->prompts != NULL ||
           (l->type != NULL && strcmp(l->type, notebook) == 0);
}

static const struct field linked_fields[] = {
    OPT_TEXT(struct linked, commit, MLFLOW_TAG_MAX),
    OPT_TEXT(struct linked, repository, MLFLOW_TAG_MAX),
    OPT_TEXT(struct linked, source, MLFLOW_TAG_MAX),
    OPT_TEXT(struct linked, type, MLFLOW_TAG_MAX),
    OPT_TEXT(struct linked, prompts, MLFLOW_TAG_MAX),
    FIELDS_END,
};

#define TAG(name) "max(t.value) FILTER (WHERE t.key = '" name "')"
QUERY(
    linked_of_run_sql,
    "SELECT " TAG("mlflow.source.git.commit") " AS commit, " TAG(
        "mlflow.source."
        "git.repoURL") " AS repository, " TAG("mlflow.source.name") " AS source,"
                                                                    " " TAG("mlflow.source.type") " AS type, " TAG(
                                                                        LINKED_PROMPTS) " AS "
                                                                                        "prompts"
                                                                                        " FROM "
                                                                                        "run_tag t "
                                                                                        "WHERE "
                                                                                        "t.tenant_"
                                                                                        "id = "
                                                                                        "current_"
                                                                                        "tenant() "
                                                                                        "AND "
                                                                                        "t.run_id "
                                                                                        "= $1::uuid"
                                                                                        " AND "
                                                                                        "t.key "
                                                                                        "LIKE "
                                                                                        "'mlflow.%"
                                                                                        "'");

enum err linked_of_run(struct db *db, const char *run_id, struct linked *l)
{
    return db_one(db, &linked_of_run_sql, linked_fields, l, PARAMS(P_TEXT(run_id)));
}

static enum err trace_prompt(struct request *rq, const json_t *item, const struct linked_to *to)
{
    const char *name = mlflow_member(item, "name");
    const char *number = mlflow_member(item, "version");
    struct version v;
    enum err e;

    if (name == NULL || number == NULL)
        return OK;
    e = source_find(rq, arena_printf(rq->arena, "prompts/%s/versions/%s", name, number), &v);
    if (e == ERR_NOT_FOUND)
        return OK;
    TRY(e);
    if (strcmp(version_node(rq->arena, &v), to->node) == 0)
        return OK;
    return provenance_edge(rq->db, version_node(rq->arena, &v), to->node, to->how, rq->id);
}

static enum err trace_prompts(struct request *rq, const char *text, const struct linked_to *to)
{
    json_t *list = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    size_t count = json_array_size(list);

    if (list == NULL)
        return OK;
    arena_own(rq->arena, list, json_release);
    for (size_t i = 0; i < count && i < PROMPTS_MAX; i++)
        TRY(trace_prompt(rq, json_array_get(list, i), to));
    return OK;
}

/* One of our own notebooks by its version's path, or the place that another system has it at. */
static enum err trace_notebook(struct request *rq, const char *source, const struct linked_to *to)
{
    const char *node;
    struct version v;
    enum err e = source_find(rq, source, &v);

    if (e == OK)
        return provenance_edge(rq->db, version_node(rq->arena, &v), to->node, "use", rq->id);
    if (e != ERR_NOT_FOUND)
        return e;
    if (*source == '\0' || strlen(source) > NOTEBOOK_MAX)
        return OK;
    node = arena_printf(rq->arena, "projects/%s/mlflow-notebooks/%s", rq->project, source);
    TRY(provenance_node(rq->db, "notebook", node, rq->project, NULL));
    return provenance_edge(rq->db, node, to->node, "use", rq->id);
}

enum err linked_trace(struct request *rq, const struct linked *l, const struct linked_to *to)
{
    const char *code = code_node(rq->arena, rq->project, l->repository, l->commit);

    if (!linked_any(l))
        return OK;
    TRY(provenance_node(rq->db, to->kind, to->node, rq->project, NULL));
    if (code != NULL) {
        TRY(provenance_node(rq->db, "code", code, rq->project, NULL));
        TRY(provenance_edge(rq->db, code, to->node, "use", rq->id));
    }
    if (l->source != NULL && l->type != NULL && strcmp(l->type, notebook) == 0)
        TRY(trace_notebook(rq, l->source, to));
    return l->prompts == NULL ? OK : trace_prompts(rq, l->prompts, to);
}

enum err linked_run(struct request *rq, const char *run_id, const struct linked *l)
{
    const struct linked_to to = {
        "run",
        arena_printf(rq->arena, "projects/%s/runs/%s", rq->project, run_hex(rq->arena, run_id)),
        "use"};

    return linked_trace(rq, l, &to);
}

enum err logged_model_node(struct request *rq, const char *id, const char *run_id,
                           const char **node)
{
    const char *run;

    *node = arena_printf(rq->arena, "projects/%s/logged-models/m-%s", rq->project,
                         run_hex(rq->arena, id));
    TRY(provenance_node(rq->db, "logged-model", *node, rq->project, NULL));
    if (run_id == NULL)
        return OK;
    TRY(run_node(rq, run_id, &run));
    return provenance_edge(rq->db, run, *node, "produce", rq->id);
}

enum err linked_model(struct request *rq, const char *id, const json_t *tags)
{
    struct linked_to to = {.kind = "logged-model", .how = "use"};
    struct linked l = {.commit = NULL};

    linked_note_all(&l, tags);
    if (!linked_any(&l))
        return OK;
    TRY(logged_model_node(rq, id, NULL, &to.node));
    return linked_trace(rq, &l, &to);
}

enum err linked_call(struct request *rq, const char *trace_id, const char *prompts)
{
    const struct linked_to to = {
        "trace", arena_printf(rq->arena, "projects/%s/traces/%s", rq->project, trace_id),
        "predict"};
    const struct linked l = {.prompts = prompts};

    return linked_trace(rq, &l, &to);
}
