/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/registered_model_http.h"

#include "auth/auth.h"
#include "registry/asset.h"
#include "registry/handlers.h"
#include "registry/mlflow.h"
#include "registry/registered_model.h"

#include <string.h>

enum { TAG_VALUE_LONGEST = 5000, DESCRIPTION_LONGEST = 2000 };

enum err registered_model_name(struct request *rq, const char **name)
{
    const char *asset;

    TRY(mlflow_need(rq, "name", 256, name));
    if (!name_valid(*name))
        return fail(rq, ERR_INVALID,
                    "Registered model name '%s' is not one this server takes: 1 to 63 of a-z 0-9 . "
                    "_ - beginning with a letter or digit",
                    *name);
    asset = arena_printf(rq->arena, "models/%s", *name);
    request_object(rq, "%s", asset);
    if (auth_may_asset(rq, (enum action)rq->route->action, asset))
        return OK;
    if (!auth_may_asset(rq, ASSET_READ, asset))
        return registered_model_absent(rq, ERR_NOT_FOUND, *name);
    return fail(rq, ERR_DENIED, "this needs %s at %s", action_text((enum action)rq->route->action),
                asset);
}

enum err registered_model_absent(struct request *rq, enum err e, const char *name)
{
    if (e != ERR_NOT_FOUND)
        return e;
    return fail(rq, e, "Registered Model with name=%s not found", name);
}

static enum err reply_model(struct request *rq, const char *name)
{
    const char *json = NULL;

    TRY(registered_model_absent(rq, registered_model_get(rq->db, auth_project_id(rq), name, &json),
                                name));
    return mlflow_reply(rq, json);
}

static enum err make(struct request *rq, const struct asset *wanted)
{
    struct asset old;
    enum err e = asset_lock(rq->db, auth_project_id(rq), "model", wanted->name, &old);

    if (e == ERR_NOT_FOUND)
        return asset_create(rq->db, auth_project_id(rq), wanted, rq->caller.id);
    TRY(e);
    if (strcmp(old.state, "purged") != 0)
        return fail(rq, ERR_EXISTS, "Registered Model (name=%s) already exists.", wanted->name);
    old.description = wanted->description;
    old.tags = wanted->tags;
    return asset_renew(rq->db, &old, rq->caller.id);
}

/* POST …/registered-models/create */
enum err post_mlflow_registered_model(struct request *rq)
{
    struct asset a = {.kind = "model"};
    const json_t *items;

    TRY(registered_model_name(rq, &a.name));
    TRY(mlflow_text(rq, "description", DESCRIPTION_LONGEST, &a.description));
    TRY(mlflow_list(rq, "tags", MLFLOW_TAGS_MAX, &items));
    TRY(mlflow_pairs(rq, items, TAG_VALUE_LONGEST, &a.tags));
    if (a.description == NULL)
        a.description = "";
    TRY(make(rq, &a));
    return reply_model(rq, a.name);
}

/* GET …/registered-models/get */
enum err get_mlflow_registered_model(struct request *rq)
{
    const char *name;

    TRY(registered_model_name(rq, &name));
    return reply_model(rq, name);
}

/* GET and POST …/registered-models/get-latest-versions: there are no stages but None. */
enum err get_mlflow_latest_versions(struct request *rq)
{
    const char *json = NULL;
    struct texts stages;
    const char *name;
    bool wanted;

    TRY(registered_model_name(rq, &name));
    TRY(mlflow_texts(rq, "stages", 8, &stages));
    wanted = stages.count == 0;
    for (size_t i = 0; i < stages.count; i++)
        wanted = wanted || strcasecmp(stages.items[i], "None") == 0;
    TRY(registered_model_absent(
        rq, registered_model_latest(rq->db, auth_project_id(rq), name, &json), name));
    return mlflow_reply(rq, wanted ? json : "{\"model_versions\":[]}");
}

enum err model_version_of(struct request *rq, struct version *v)
{
    struct version_key key = {.kind = "model"};
    const char *number;
    enum err e = ERR_NOT_FOUND;

    TRY(registered_model_name(rq, &key.asset));
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
