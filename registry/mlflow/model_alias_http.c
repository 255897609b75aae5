/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/registered_model_http.h"

#include "auth/auth.h"
#include "lineage/audit.h"
#include "registry/alias.h"
#include "registry/approval.h"
#include "registry/asset.h"
#include "registry/handlers.h"
#include "registry/mlflow/mlflow.h"
#include "registry/mlflow/registered_model.h"
#include "registry/pickle_facts.h"

#include <string.h>

static enum err alias_name(struct request *rq, const char **alias)
{
    TRY(mlflow_need(rq, "alias", 255, alias));
    if (!name_valid(*alias) || strcmp(*alias, "latest") == 0)
        return fail(rq, ERR_INVALID,
                    "Invalid alias name: '%s'. It is 1 to 63 of a-z 0-9 . _ - beginning with a "
                    "letter or digit, and not 'latest'",
                    *alias);
    return OK;
}

enum err registered_alias_allow(struct request *rq, const struct version *v, const char *alias)
{
    const char *asset = asset_path(rq->arena, v->kind, v->asset);

    if (auth_may_alias(rq, ALIAS_WRITE, asset, alias))
        return OK;
    return fail(rq, ERR_DENIED, "this needs %s for the alias %s of %s", action_text(ALIAS_WRITE),
                alias, asset);
}

enum err promotion_ask(struct request *rq, const struct version *v, const char *alias,
                       const struct rules *rules, const char **approval)
{
    struct approval_draft d = {.action = "promote",
                               .project_id = auth_project_id(rq),
                               .subject = version_path(rq->arena, v),
                               .version_id = v->id,
                               .alias = alias,
                               .subject_digest = v->digest,
                               .required = rules->promote.approvals,
                               .hours = rules->approval_hours,
                               .reason = "asked for by an MLflow client",
                               .requested_by = rq->caller.id};
    enum err e = promotion_pending(rq->db, v->id, alias, approval);
    json_t *evidence;
    char id[ID_SIZE];

    if (e != ERR_NOT_FOUND)
        return e;
    TRY(pickle_promotable(rq, v, rules));
    if (!auth_may(rq, APPROVAL_REQUEST, rq->project))
        return fail(rq, ERR_UNAPPROVED, "the alias %s is protected and %s has no approval for it",
                    alias, d.subject);
    TRY(approval_evidence(rq->db, auth_project_id(rq), v, alias, &evidence));
    d.evidence = evidence;
    TRY(approval_file(rq->db, &d, id));
    *approval = arena_text(rq->arena, id);
    return OK;
}

enum err promotion_wait(struct request *rq, const char *approval, const char *what)
{
    request_audit(rq, "approval", json_string(approval));
    request_status(rq, 403);
    return request_reply_json(rq, json_pack("{s:s, s:s, s:s}", "error_code", "PERMISSION_DENIED",
                                            "message", what, "approval", approval));
}

static enum err wait_for(struct request *rq, const struct version *v, const char *alias,
                         const struct rules *rules)
{
    const char *approval = NULL;

    TRY(promotion_ask(rq, v, alias, rules, &approval));
    return promotion_wait(rq, approval,
                          arena_printf(rq->arena,
                                       "The alias %s is protected. Approval %s was asked for; when "
                                       "it is granted, the alias moves to version %lld by itself.",
                                       alias, approval, (long long)v->number));
}

static enum err note_before(struct request *rq, const struct alias_move *m)
{
    struct alias was;
    enum err e = alias_find(rq->db, m->asset_id, m->alias, &was);

    if (e == OK)
        audit_before(rq, alias_fields, &was);
    return e == ERR_NOT_FOUND ? OK : e;
}

static enum err move(struct request *rq)
{
    struct alias_move m = {.by = rq->caller.id};
    struct rules rules;
    struct version v;
    struct alias now;
    enum err e;

    TRY(alias_name(rq, &m.alias));
    TRY(model_version_of(rq, &v));
    TRY(registered_alias_allow(rq, &v, m.alias));
    if (strcmp(v.state, "ready") != 0)
        return fail(rq, ERR_CONFLICT, "%s is not ready yet", version_path(rq->arena, &v));
    request_object(rq, "%s/aliases/%s", asset_path(rq->arena, v.kind, v.asset), m.alias);
    request_audit(rq, "version", json_integer(v.number));
    TRY(alias_lock(rq->db, v.asset_id));
    m.asset_id = v.asset_id;
    m.version_id = v.id;
    TRY(rules_load(rq->db, auth_project_id(rq), &rules));
    if (rules_protect(&rules, m.alias)) {
        e = alias_approval(rq->db, v.id, m.alias, &m.approval_id);
        if (e == ERR_NOT_FOUND)
            return wait_for(rq, &v, m.alias, &rules);
        TRY(e);
    }
    TRY(note_before(rq, &m));
    TRY(alias_set(rq->db, &m));
    TRY(alias_find(rq->db, m.asset_id, m.alias, &now));
    audit_after_as(rq, alias_fields, &now);
    return mlflow_reply_empty(rq);
}

/* POST …/registered-models/alias */
enum err post_mlflow_alias(struct request *rq)
{
    return request_tx(rq, move);
}

/* GET …/registered-models/alias */
enum err get_mlflow_alias(struct request *rq)
{
    struct version_key key;
    struct version v;
    enum err e;

    TRY(registered_model_key(rq, &key));
    TRY(alias_name(rq, &key.alias));
    e = version_get(rq->db, auth_project_id(rq), &key, &v);
    if (e == ERR_NOT_FOUND)
        return fail(rq, ERR_INVALID, "Registered model alias %s not found.", key.alias);
    TRY(e);
    return model_version_reply(rq, &v);
}

/* DELETE …/registered-models/alias */
enum err delete_mlflow_alias(struct request *rq)
{
    struct alias_move m = {.by = rq->caller.id};
    struct version_key key;
    struct rules rules;
    struct alias now;
    struct asset a;
    enum err e;

    TRY(registered_model_key(rq, &key));
    TRY(alias_name(rq, &m.alias));
    TRY(registered_alias_allow(rq, &(struct version){.kind = key.kind, .asset = key.asset},
                               m.alias));
    request_object(rq, "%s/aliases/%s", asset_path(rq->arena, key.kind, key.asset), m.alias);
    TRY(registered_model_absent(
        rq, asset_find(rq->db, auth_project_id(rq), key.kind, key.asset, &a), key.asset));
    TRY(alias_lock(rq->db, a.id));
    e = alias_find(rq->db, a.id, m.alias, &now);
    if (e == ERR_NOT_FOUND)
        return mlflow_reply_empty(rq);
    TRY(e);
    TRY(rules_load(rq->db, auth_project_id(rq), &rules));
    if (now.approval != NULL && rules_protect(&rules, m.alias))
        return fail(rq, ERR_UNAPPROVED,
                    "the alias %s rests on approval %s; that has to be revoked to take it away",
                    m.alias, now.approval);
    m.asset_id = a.id;
    audit_before(rq, alias_fields, &now);
    TRY(alias_remove(rq->db, &m));
    return mlflow_reply_empty(rq);
}
