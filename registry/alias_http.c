/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/alias.h"

#include "auth/auth.h"
#include "lineage/audit.h"
#include "registry/asset.h"
#include "registry/handlers.h"
#include "registry/reply.h"
#include "registry/rules.h"

#include <string.h>

struct alias_body {
    int64_t version;
};

const struct field alias_body_fields[] = {
    INT(struct alias_body, version, 1, INT32_MAX),
    FIELDS_END,
};

/* The active asset of the path. */
static enum err asset_of_path(struct request *rq, struct asset *a)
{
    TRY(asset_find(rq->db, auth_project_id(rq), asset_kind(rq), rq->args[1], a));
    return strcmp(a->state, "active") == 0 ? OK : ERR_NOT_FOUND;
}

/* GET …/models/{name}/aliases */
enum err get_aliases(struct request *rq)
{
    struct asset a;
    struct page page;
    struct rows rows;

    TRY(page_read(rq, &page));
    TRY(asset_of_path(rq, &a));
    TRY(alias_list(rq->db, a.id, page.after, page.limit + 1, &rows));
    return page_reply(rq, &page, alias_fields, sizeof(struct alias), &rows,
                      offsetof(struct alias, alias));
}

/* GET …/models/{name}/aliases/{alias}/history */
enum err get_alias_history(struct request *rq)
{
    struct asset a;
    struct page page;
    struct rows rows;
    int64_t before;

    TRY(page_read(rq, &page));
    TRY(page_number(rq, &page, INT64_MAX, &before));
    TRY(asset_of_path(rq, &a));
    TRY(alias_history(rq->db, a.id, rq->args[2], before, page.limit + 1, &rows));
    return page_reply_numbered(rq, &page, alias_event_fields, sizeof(struct alias_event), &rows,
                               offsetof(struct alias_event, seq));
}

/* A protected alias may go back to a version whose approval for it is still in force. */
static enum err need_approval(struct request *rq, const struct version *v, struct alias_move *m)
{
    struct rules rules;
    enum err e;

    TRY(rules_load(rq->db, auth_project_id(rq), &rules));
    if (!rules_protect(&rules, m->alias))
        return OK;
    e = alias_approval(rq->db, v->id, m->alias, &m->approval_id);
    if (e != ERR_NOT_FOUND)
        return e;
    return fail(rq, ERR_UNAPPROVED,
                "the alias %s is protected and %s has no approval in force for it; ask with POST "
                "/v1/projects/%s/approvals {\"action\":\"promote\",\"subject\":\"%s\","
                "\"alias\":\"%s\"}",
                m->alias, version_path(rq->arena, v), rq->args[0], version_path(rq->arena, v),
                m->alias);
}

static enum err before(struct request *rq, const struct alias_move *m)
{
    struct alias was;
    enum err e = alias_find(rq->db, m->asset_id, m->alias, &was);

    if (e == OK)
        audit_before(rq, alias_fields, &was);
    return e == ERR_NOT_FOUND ? OK : e;
}

/* PUT …/models/{name}/aliases/{alias} */
enum err put_alias(struct request *rq)
{
    struct alias_move m = {.alias = rq->args[2], .by = rq->caller.id};
    struct version_key key = {.kind = asset_kind(rq), .asset = rq->args[1]};
    struct alias_body b;
    struct version v;
    struct alias now;

    TRY(request_read(rq, &b));
    request_object(rq, "%ss/%s/aliases/%s", key.kind, key.asset, m.alias);
    if (!name_valid(m.alias))
        return fail(rq, ERR_INVALID,
                    "an alias is 1 to 63 of a-z 0-9 . _ - and begins with a "
                    "letter or digit");
    key.number = b.version;
    TRY(version_lock(rq->db, auth_project_id(rq), &key, &v));
    if (strcmp(v.state, "ready") != 0)
        return fail(rq, ERR_CONFLICT, "%s is pending; finalize it first",
                    version_path(rq->arena, &v));
    TRY(alias_lock(rq->db, v.asset_id));
    m.asset_id = v.asset_id;
    m.version_id = v.id;
    TRY(need_approval(rq, &v, &m));
    TRY(before(rq, &m));
    TRY(alias_set(rq->db, &m));
    request_audit(rq, "version", json_integer(v.number));
    TRY(alias_find(rq->db, v.asset_id, m.alias, &now));
    return request_reply(rq, alias_fields, &now);
}

/* DELETE …/models/{name}/aliases/{alias} */
enum err delete_alias(struct request *rq)
{
    struct alias_move m = {.alias = rq->args[2], .by = rq->caller.id};
    struct rules rules;
    struct alias now;
    struct asset a;

    request_object(rq, "%ss/%s/aliases/%s", asset_kind(rq), rq->args[1], m.alias);
    TRY(asset_of_path(rq, &a));
    TRY(alias_lock(rq->db, a.id));
    TRY(alias_find(rq->db, a.id, m.alias, &now));
    audit_before(rq, alias_fields, &now);
    TRY(rules_load(rq->db, auth_project_id(rq), &rules));
    if (now.approval != NULL && rules_protect(&rules, m.alias))
        return fail(rq, ERR_UNAPPROVED,
                    "the alias %s rests on an approval; take that back with POST "
                    "/v1/projects/%s/approvals/%s/revoke",
                    m.alias, rq->args[0], now.approval);
    m.asset_id = a.id;
    TRY(alias_remove(rq->db, &m));
    return request_reply_empty(rq);
}
