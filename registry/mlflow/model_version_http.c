/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/registered_model_http.h"

#include "auth/auth.h"
#include "lineage/audit.h"
#include "registry/alias.h"
#include "registry/asset.h"
#include "registry/handlers.h"
#include "registry/mlflow/mlflow.h"
#include "registry/mlflow/registered_model.h"
#include "registry/tag.h"

#include <string.h>
#include <strings.h>

enum { DESCRIPTION_LONGEST = 2000 };

enum err model_version_of(struct request *rq, struct version *v)
{
    struct version_key key;
    const char *number;
    enum err e = ERR_NOT_FOUND;

    TRY(registered_model_key(rq, &key));
    TRY(mlflow_need(rq, "version", 16, &number));
    if (*number != '@' && version_key_number(number, &key))
        e = rq->db->tx == TX_WRITE ? version_lock(rq->db, auth_project_id(rq), &key, v)
                                   : version_get(rq->db, auth_project_id(rq), &key, v);
    if (e == ERR_NOT_FOUND)
        return fail(rq, e, "Model Version (name=%s, version=%s) not found", key.asset, number);
    TRY(e);
    request_object(rq, "%s", version_path(rq->arena, v));
    return OK;
}

enum err model_version_reply(struct request *rq, const struct version *v)
{
    const char *json;

    TRY(model_version_show(rq->db, v->id, &json));
    return mlflow_reply(rq, json);
}

/* GET …/model-versions/get */
enum err get_mlflow_model_version(struct request *rq)
{
    struct version v;

    TRY(model_version_of(rq, &v));
    return model_version_reply(rq, &v);
}

/* GET …/model-versions/get-download-uri: the sealed files, not where they once came from. */
enum err get_mlflow_download_uri(struct request *rq)
{
    struct version v;

    TRY(model_version_of(rq, &v));
    return request_reply_json(
        rq, json_pack("{s:s}", "artifact_uri",
                      arena_printf(rq->arena, "mlflow-artifacts:/registered-models/%s/%lld",
                                   v.asset, (long long)v.number)));
}

/* PATCH …/model-versions/update */
enum err patch_mlflow_model_version(struct request *rq)
{
    struct version v;

    TRY(model_version_of(rq, &v));
    audit_before(rq, version_fields, &v);
    TRY(mlflow_text(rq, "description", DESCRIPTION_LONGEST, &v.description));
    if (v.description == NULL)
        v.description = "";
    TRY(version_update(rq->db, &v));
    audit_after_as(rq, version_fields, &v);
    return model_version_reply(rq, &v);
}

/* MLflow takes aliases away with their version; one that rests on an approval is not taken so. */
static enum err let_go(struct request *rq, const struct version *v)
{
    TRY(alias_lock(rq->db, v->asset_id));
    for (size_t i = 0; i < v->aliases.count; i++) {
        struct alias_move m = {
            .asset_id = v->asset_id, .alias = v->aliases.items[i], .by = rq->caller.id};
        struct alias now;

        TRY(registered_alias_allow(rq, v, m.alias));
        TRY(alias_find(rq->db, v->asset_id, m.alias, &now));
        if (now.approval != NULL)
            return fail(rq, ERR_UNAPPROVED,
                        "the alias %s means it and rests on approval %s; revoke that first",
                        m.alias, now.approval);
        TRY(alias_remove(rq->db, &m));
    }
    return OK;
}

/* DELETE …/model-versions/delete */
enum err delete_mlflow_model_version(struct request *rq)
{
    const char *endpoint;
    struct version v;
    enum err e;

    TRY(model_version_of(rq, &v));
    if (strcmp(v.state, "pending") == 0 && v.job != NULL)
        return fail(rq, ERR_CONFLICT, "job %s makes it; cancel the job instead", v.job);
    e = version_served(rq->db, &v, &endpoint);
    if (e == OK)
        return fail(rq, ERR_CONFLICT, "endpoint %s serves it; undeploy it first", endpoint);
    if (e != ERR_NOT_FOUND)
        return e;
    audit_before(rq, version_fields, &v);
    TRY(let_go(rq, &v));
    TRY(version_delete(rq->db, &v));
    return mlflow_reply_empty(rq);
}

/* POST …/model-versions/set-tag */
enum err post_mlflow_model_version_tag(struct request *rq)
{
    const char *value;
    const char *name;
    struct version v;

    TRY(model_version_of(rq, &v));
    TRY(registered_tag(rq, v.kind, &name, &value));
    audit_before(rq, version_fields, &v);
    TRY(tags_change(rq, v.tags, name, value, &v.tags));
    TRY(version_update(rq->db, &v));
    audit_after_as(rq, version_fields, &v);
    return mlflow_reply_empty(rq);
}

/* DELETE …/model-versions/delete-tag */
enum err delete_mlflow_model_version_tag(struct request *rq)
{
    const char *name;
    struct version v;

    TRY(model_version_of(rq, &v));
    TRY(registered_tag(rq, v.kind, &name, NULL));
    if (json_object_get(v.tags, name) == NULL)
        return mlflow_reply_empty(rq);
    audit_before(rq, version_fields, &v);
    TRY(tags_change(rq, v.tags, name, NULL, &v.tags));
    TRY(version_update(rq->db, &v));
    audit_after_as(rq, version_fields, &v);
    return mlflow_reply_empty(rq);
}

struct transition {
    struct stage_move move;
    const char *alias; /* the stage as an alias would be called: "production" */
};

static enum err read_transition(struct request *rq, struct transition *t)
{
    static const struct {
        const char *stage;
        const char *alias;
    } stages[] = {{"None", "none"},
                  {"Staging", "staging"},
                  {"Production", "production"},
                  {"Archived", "archived"}};
    const json_t *archive = json_object_get(rq->body, "archive_existing_versions");
    const char *text;

    TRY(mlflow_need(rq, "stage", 32, &text));
    *t = (struct transition){.move = {.by = rq->caller.id}};
    for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++)
        if (strcasecmp(stages[i].stage, text) == 0) {
            t->move.stage = stages[i].stage;
            t->alias = stages[i].alias;
        }
    if (t->alias == NULL)
        return fail(rq, ERR_INVALID,
                    "Invalid Model Version stage: %s. Value must be one of None, Staging, "
                    "Production, Archived.",
                    text);
    t->move.archive = json_is_true(archive);
    if (t->move.archive && strcmp(t->alias, "staging") != 0 && strcmp(t->alias, "production") != 0)
        return fail(rq, ERR_INVALID,
                    "Model version transition cannot archive existing model versions because '%s' "
                    "is not an Active stage. Valid stages are Staging, Production",
                    text);
    return OK;
}

/* The move is kept, and means nothing until its approval is granted. */
static enum err wait_for(struct request *rq, struct transition *t, const struct version *v,
                         const struct rules *rules)
{
    const char *approval = NULL;

    TRY(promotion_ask(rq, v, t->alias, rules, &approval));
    t->move.approval_id = approval;
    TRY(stage_set(rq->db, &t->move));
    return promotion_wait(rq, approval,
                          arena_printf(rq->arena,
                                       "The stage %s is protected. Approval %s was asked for; when "
                                       "it is granted, version %lld is in it.",
                                       t->move.stage, approval, (long long)v->number));
}

/* A stage is governed as the alias of its name: what is protected waits for its approval, and holds
 * as long as that is in force. */
static enum err transit(struct request *rq)
{
    struct transition t;
    struct rules rules;
    struct version v;
    const char *was;
    enum err e;

    TRY(model_version_of(rq, &v));
    TRY(read_transition(rq, &t));
    TRY(registered_alias_allow(rq, &v, t.alias));
    if (strcmp(v.state, "ready") != 0)
        return fail(rq, ERR_CONFLICT, "%s is not ready yet", version_path(rq->arena, &v));
    request_audit(rq, "stage", json_string(t.move.stage));
    t.move.asset_id = v.asset_id;
    t.move.version_id = v.id;
    TRY(alias_lock(rq->db, v.asset_id));
    TRY(rules_load(rq->db, auth_project_id(rq), &rules));
    if (rules_protect(&rules, t.alias)) {
        e = alias_approval(rq->db, v.id, t.alias, &t.move.approval_id);
        if (e == ERR_NOT_FOUND)
            return wait_for(rq, &t, &v, &rules);
        TRY(e);
    }
    TRY(model_version_show(rq->db, v.id, &was));
    audit_before_text(rq, was);
    TRY(stage_set(rq->db, &t.move));
    return model_version_reply(rq, &v);
}

/* POST …/model-versions/transition-stage */
enum err post_mlflow_model_version_stage(struct request *rq)
{
    return request_tx(rq, transit);
}
