/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/registered_model_http.h"

#include "auth/auth.h"
#include "lineage/audit.h"
#include "registry/asset.h"
#include "registry/handlers.h"
#include "registry/mlflow/mlflow.h"
#include "registry/mlflow/registered_model.h"
#include "registry/tag.h"

#include <ctype.h>
#include <string.h>

enum { TAG_VALUE_LONGEST = 5000, DESCRIPTION_LONGEST = 2000, STAGES_MAX = 8 };

static const char is_prompt[] = "mlflow.prompt.is_prompt";

enum err registered_model_allow(struct request *rq, const struct version_key *key)
{
    const char *asset = asset_path(rq->arena, key->kind, key->asset);

    request_object(rq, "%s", asset);
    if (auth_may_asset(rq, (enum action)rq->route->action, asset))
        return OK;
    if (!auth_may_asset(rq, ASSET_READ, asset))
        return registered_model_absent(rq, ERR_NOT_FOUND, key->asset);
    return fail(rq, ERR_DENIED, "this needs %s at %s", action_text((enum action)rq->route->action),
                asset);
}

static enum err name_check(struct request *rq, const char *name)
{
    if (name_valid(name))
        return OK;
    return fail(rq, ERR_INVALID,
                "Registered model name '%s' is not one this server takes: 1 to 63 of a-z 0-9 . "
                "_ - beginning with a letter or digit",
                mlflow_cut(rq->arena, name, 300));
}

enum err registered_model_key(struct request *rq, struct version_key *key)
{
    enum err e;

    *key = (struct version_key){.kind = "model"};
    TRY(mlflow_need(rq, "name", 256, &key->asset));
    TRY(name_check(rq, key->asset));
    e = registered_model_kind(rq->db, auth_project_id(rq), key->asset, &key->kind);
    if (e == ERR_NOT_FOUND)
        key->kind = "model";
    else
        TRY(e);
    return registered_model_allow(rq, key);
}

enum err registered_model_absent(struct request *rq, enum err e, const char *name)
{
    if (e != ERR_NOT_FOUND)
        return e;
    return fail(rq, e, "Registered Model with name=%s not found", name);
}

static enum err reply_model(struct request *rq, const struct version_key *key)
{
    const char *json = NULL;

    TRY(registered_model_absent(rq, registered_model_get(rq->db, auth_project_id(rq), key, &json),
                                key->asset));
    return mlflow_reply(rq, json);
}

/* The active asset that the parameter name means, locked. */
static enum err lock(struct request *rq, struct version_key *key, struct asset *a)
{
    enum err e;

    TRY(registered_model_key(rq, key));
    e = asset_lock(rq->db, auth_project_id(rq), key->kind, key->asset, a);
    if (e == OK && strcmp(a->state, "active") != 0)
        e = ERR_NOT_FOUND;
    return registered_model_absent(rq, e, key->asset);
}

static enum err make(struct request *rq, const struct asset *wanted)
{
    struct asset old;
    const char *kind;
    enum err e = registered_model_kind(rq->db, auth_project_id(rq), wanted->name, &kind);

    if (e == OK)
        return fail(rq, ERR_EXISTS, "Registered Model (name=%s) already exists.", wanted->name);
    if (e != ERR_NOT_FOUND)
        return e;
    e = asset_lock(rq->db, auth_project_id(rq), wanted->kind, wanted->name, &old);
    if (e == ERR_NOT_FOUND)
        return asset_create(rq->db, auth_project_id(rq), wanted, rq->caller.id);
    TRY(e);
    old.description = wanted->description;
    old.tags = wanted->tags;
    return asset_renew(rq->db, &old, rq->caller.id);
}

/* POST …/registered-models/create: what says by its tag that it is a prompt is one. */
enum err post_mlflow_registered_model(struct request *rq)
{
    struct asset a = {.kind = "model"};
    struct version_key key = {.kind = "model"};
    const json_t *items;
    const char *prompt;

    TRY(mlflow_need(rq, "name", 256, &a.name));
    TRY(name_check(rq, a.name));
    TRY(mlflow_text(rq, "description", DESCRIPTION_LONGEST, &a.description));
    TRY(mlflow_list(rq, "tags", MLFLOW_TAGS_MAX, &items));
    TRY(mlflow_pairs(rq, items, TAG_VALUE_LONGEST, &a.tags));
    prompt = mlflow_member(a.tags, is_prompt);
    if (prompt != NULL && strcmp(prompt, "true") == 0)
        a.kind = "prompt";
    json_object_del(a.tags, is_prompt);
    key = (struct version_key){.kind = a.kind, .asset = a.name};
    TRY(registered_model_allow(rq, &key));
    if (a.description == NULL)
        a.description = "";
    TRY(make(rq, &a));
    return reply_model(rq, &key);
}

/* GET …/registered-models/get */
enum err get_mlflow_registered_model(struct request *rq)
{
    struct version_key key;

    TRY(registered_model_key(rq, &key));
    return reply_model(rq, &key);
}

/* PATCH …/registered-models/update */
enum err patch_mlflow_registered_model(struct request *rq)
{
    struct version_key key;
    struct asset a;

    TRY(lock(rq, &key, &a));
    audit_before(rq, asset_fields, &a);
    TRY(mlflow_text(rq, "description", DESCRIPTION_LONGEST, &a.description));
    if (a.description == NULL)
        a.description = "";
    TRY(asset_update(rq->db, &a));
    audit_after_as(rq, asset_fields, &a);
    return reply_model(rq, &key);
}

/* POST …/registered-models/rename: only while nothing knows it by its name. */
enum err post_mlflow_registered_model_rename(struct request *rq)
{
    struct version_key key;
    struct version_key other;
    const char *what;
    struct asset a;
    enum err e;

    TRY(lock(rq, &key, &a));
    other = (struct version_key){.kind = key.kind};
    TRY(mlflow_need(rq, "new_name", 256, &other.asset));
    TRY(name_check(rq, other.asset));
    TRY(registered_model_allow(rq, &other));
    request_object(rq, "%s", asset_path(rq->arena, key.kind, key.asset));
    e = asset_referred(rq->db, &a, &what);
    if (e == OK)
        return fail(rq, ERR_CONFLICT,
                    "%s, by its name; copy its versions to a new model instead of renaming it",
                    what);
    if (e != ERR_NOT_FOUND)
        return e;
    audit_before(rq, asset_fields, &a);
    e = registered_model_rename(rq->db, &a, other.asset, rq->caller.id);
    if (e == ERR_EXISTS)
        return fail(rq, e, "Registered Model (name=%s) already exists.", other.asset);
    TRY(e);
    a.name = other.asset;
    audit_after_as(rq, asset_fields, &a);
    return reply_model(rq, &other);
}

/* DELETE …/registered-models/delete */
enum err delete_mlflow_registered_model(struct request *rq)
{
    struct version_key key;
    const char *endpoint;
    struct asset a;
    enum err e;

    TRY(lock(rq, &key, &a));
    e = asset_served(rq->db, &a, &endpoint);
    if (e == OK)
        return fail(rq, ERR_CONFLICT, "endpoint %s serves a version of it; undeploy it first",
                    endpoint);
    if (e != ERR_NOT_FOUND)
        return e;
    audit_before(rq, asset_fields, &a);
    TRY(asset_set_state(rq->db, &a, "deleted"));
    return mlflow_reply_empty(rq);
}

enum err registered_tag(struct request *rq, const char *kind, const char **key, const char **value)
{
    static const char *const fixed[] = {"mlflow.prompt.is_prompt", "mlflow.prompt.text",
                                        "_mlflow_prompt_type"};

    TRY(mlflow_need(rq, "key", MLFLOW_KEY_MAX, key));
    TRY(mlflow_key_check(rq, "key", *key));
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        if (strcmp(*key, fixed[i]) == 0)
            return fail(rq, ERR_INVALID, "The tag %s is part of what a %s is and cannot be changed",
                        *key, kind);
    if (value == NULL)
        return OK;
    TRY(mlflow_text(rq, "value", 1 << 20, value));
    *value = mlflow_cut(rq->arena, *value == NULL ? "" : *value, TAG_VALUE_LONGEST);
    return OK;
}

/* POST …/registered-models/set-tag */
enum err post_mlflow_registered_model_tag(struct request *rq)
{
    struct version_key key;
    const char *value;
    const char *name;
    struct asset a;

    TRY(lock(rq, &key, &a));
    TRY(registered_tag(rq, key.kind, &name, &value));
    audit_before(rq, asset_fields, &a);
    TRY(tags_change(rq, a.tags, name, value, &a.tags));
    TRY(asset_update(rq->db, &a));
    audit_after_as(rq, asset_fields, &a);
    return mlflow_reply_empty(rq);
}

/* DELETE …/registered-models/delete-tag: one that is not there is gone already, as in MLflow. */
enum err delete_mlflow_registered_model_tag(struct request *rq)
{
    struct version_key key;
    const char *name;
    struct asset a;

    TRY(lock(rq, &key, &a));
    TRY(registered_tag(rq, key.kind, &name, NULL));
    if (json_object_get(a.tags, name) == NULL)
        return mlflow_reply_empty(rq);
    audit_before(rq, asset_fields, &a);
    TRY(tags_change(rq, a.tags, name, NULL, &a.tags));
    TRY(asset_update(rq->db, &a));
    audit_after_as(rq, asset_fields, &a);
    return mlflow_reply_empty(rq);
}

/* GET and POST …/registered-models/get-latest-versions */
enum err get_mlflow_latest_versions(struct request *rq)
{
    const char *json = NULL;
    struct version_key key;
    struct texts stages;

    TRY(registered_model_key(rq, &key));
    TRY(mlflow_texts(rq, "stages", STAGES_MAX, &stages));
    for (size_t i = 0; i < stages.count; i++) {
        char *lower = arena_copy(rq->arena, stages.items[i], strlen(stages.items[i]));

        for (char *c = lower; *c != '\0'; c++)
            *c = (char)tolower((unsigned char)*c);
        stages.items[i] = lower;
    }
    TRY(registered_model_absent(
        rq, registered_model_latest(rq->db, auth_project_id(rq), &key, &stages, &json), key.asset));
    return mlflow_reply(rq, json);
}
