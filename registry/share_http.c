/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/share.h"

#include "auth/access/authority.h"
#include "lineage/audit.h"
#include "registry/asset.h"
#include "registry/handlers.h"
#include "registry/reply.h"

#include <string.h>

struct share_body {
    const char *asset;
    const char *from;
    const char *with;
    bool by_alias;
    const char *reason;
};

const struct field share_body_fields[] = {
    TEXT(struct share_body, asset, 100),   OPT_NAME(struct share_body, from),
    OPT_NAME(struct share_body, with),     OPT_BOOL(struct share_body, by_alias),
    TEXT(struct share_body, reason, 2000), FIELDS_END,
};

struct share_answer {
    const char *verdict;
    const char *reason;
};

static const char *const verdicts[] = {"agree", "refuse", NULL};

const struct field share_answer_fields[] = {
    CHOICE(struct share_answer, verdict, verdicts),
    TEXT(struct share_answer, reason, 2000),
    FIELDS_END,
};

static enum err refuse(struct request *rq, const char *member, const char *what)
{
    rq->target = member;
    return fail(rq, ERR_INVALID, "%s: %s", member, what);
}

static void search_here(struct request *rq, struct share_search *s)
{
    *s = (struct share_search){.project_id = auth_project_id(rq),
                               .agrees = auth_may(rq, SHARE_REQUEST, rq->args[0])};
    auth_readable_any_version(rq, ASSET_READ, &s->may);
}

static enum err one_of(struct request *rq, const char *name, const char *const *known,
                       const char **out)
{
    struct text list = text_new(200);

    *out = request_query(rq, name);
    for (size_t i = 0; *out != NULL && known[i] != NULL; i++) {
        text_printf(&list, "%s%s", i == 0 ? "" : ", ", known[i]);
        if (strcmp(*out, known[i]) == 0) {
            text_free(&list);
            return OK;
        }
    }
    if (*out != NULL)
        (void)refuse(rq, name, arena_printf(rq->arena, "must be one of: %s", list.data));
    text_free(&list);
    return *out == NULL ? OK : ERR_INVALID;
}

/* GET /v1/projects/{project}/shares */
enum err get_shares(struct request *rq)
{
    static const char *const directions[] = {"in", "out", NULL};
    static const char *const states[] = {"asked", "offered", "active", "refused", "ended", NULL};
    struct share_search s;
    struct page page;
    struct rows rows;

    search_here(rq, &s);
    TRY(one_of(rq, "direction", directions, &s.direction));
    TRY(one_of(rq, "state", states, &s.state));
    TRY(page_read(rq, &page));
    TRY(page_id(rq, &page, &s.before));
    s.limit = page.limit + 1;
    TRY(share_list(rq->db, &s, &rows));
    return page_reply(rq, &page, share_fields, sizeof(struct share), &rows,
                      offsetof(struct share, id));
}

static enum err reply_share(struct request *rq, const char *id)
{
    struct share_search s;
    struct share share;

    search_here(rq, &s);
    TRY(share_find(rq->db, &s, id, &share));
    return etag_reply(rq, share_fields, &share, share.revision);
}

/* GET /v1/projects/{project}/shares/{share} */
enum err get_share(struct request *rq)
{
    return reply_share(rq, rq->args[1]);
}

/* Whose it is, and who shall have it: one of the two is the route's project. */
struct sides {
    const char *owner;
    const char *owner_id;
    const char *with_id;
    const char *member; /* of the body, that names the other */
};

static enum err find_sides(struct request *rq, const struct share_body *b, struct sides *out)
{
    const char *other = b->from != NULL ? b->from : b->with;
    const char *other_id;

    if ((b->from == NULL) == (b->with == NULL))
        return refuse(rq, "from", "say either from, to ask for another project's, or with");
    out->member = b->from != NULL ? "from" : "with";
    if (strcmp(other, rq->args[0]) == 0)
        return refuse(rq, out->member, "a project has its own assets already");
    other_id = auth_project_of(rq, other);
    if (other_id == NULL || !auth_may(rq, PROJECT_READ, other))
        return refuse(rq, out->member, "there is no such project");
    out->owner = b->from != NULL ? other : rq->args[0];
    out->owner_id = b->from != NULL ? other_id : auth_project_id(rq);
    out->with_id = b->from != NULL ? auth_project_id(rq) : other_id;
    return OK;
}

/* "models/risk", or "models/risk/versions/3". */
static enum err parse_asset(struct request *rq, const char *text, struct version_key *key)
{
    const char *tail = strstr(text, "/versions/") == NULL ? "/versions/1" : "";

    if (!version_key_parse(rq->arena, arena_printf(rq->arena, "%s%s", text, tail), key))
        return refuse(rq, "asset", "is KINDs/NAME or KINDs/NAME/versions/NUMBER");
    if (key->alias != NULL)
        return refuse(rq, "asset", "a version is named by its number here");
    if (*tail != '\0')
        key->number = 0;
    return OK;
}

/* What the caller may not read is not there to ask for, and nobody gives what they lack. */
static enum err may_name(struct request *rq, const struct sides *sides, const char *asset,
                         bool offers)
{
    const struct auth_version of = {.project = sides->owner, .asset = asset};

    if (!auth_may_version(rq, ASSET_READ, &of))
        return refuse(rq, "asset", "there is no such asset");
    if (!offers)
        return OK;
    if (!auth_may_version(rq, SHARE_WRITE, &of) || !auth_may_version(rq, FILE_READ, &of))
        return fail(rq, ERR_DENIED, "to share %s needs %s and %s there", asset,
                    action_text(SHARE_WRITE), action_text(FILE_READ));
    return OK;
}

static enum err find_asset(struct request *rq, const struct sides *sides,
                           const struct version_key *key, struct share_draft *d)
{
    struct version v;
    struct asset a;
    enum err e = asset_find(rq->db, sides->owner_id, key->kind, key->asset, &a);

    if (e == ERR_NOT_FOUND || (e == OK && strcmp(a.state, "active") != 0))
        return refuse(rq, "asset", "there is no such asset");
    TRY(e);
    d->asset_id = a.id;
    d->version = key->number;
    if (key->number == 0)
        return OK;
    e = version_get(rq->db, sides->owner_id, key, &v);
    if (e == ERR_NOT_FOUND)
        return refuse(rq, "asset", "there is no such version");
    TRY(e);
    return strcmp(v.state, "ready") == 0 ? OK : refuse(rq, "asset", "the version is not ready");
}

static enum err plan(struct request *rq, const struct share_body *b, struct share_draft *d)
{
    struct version_key key = {.number = 0};
    struct sides sides;
    const char *asset;

    TRY(find_sides(rq, b, &sides));
    TRY(parse_asset(rq, b->asset, &key));
    if (b->by_alias && key.number != 0)
        return refuse(rq, "by_alias", "one version has no aliases to follow; share the asset");
    asset = asset_path(rq->arena, key.kind, key.asset);
    TRY(may_name(rq, &sides, asset, b->from == NULL));
    TRY(find_asset(rq, &sides, &key, d));
    d->owner_id = sides.owner_id;
    d->project_id = sides.with_id;
    return OK;
}

/* POST /v1/projects/{project}/shares */
enum err post_share(struct request *rq)
{
    struct share_draft d = {.by = rq->caller.id};
    struct share_body b = {.from = NULL};
    char id[ID_SIZE];
    enum err e;

    TRY(request_read(rq, &b));
    TRY(authority_fence(rq));
    TRY(plan(rq, &b, &d));
    d.by_alias = b.by_alias;
    d.reason = b.reason;
    d.state = b.from != NULL ? "asked" : "offered";
    e = share_insert(rq->db, &d, id);
    if (e == ERR_EXISTS)
        return fail(rq, e, "%s is shared, offered or asked for between the two already", b.asset);
    TRY(e);
    request_object(rq, "shares/%s", id);
    request_status(rq, 201);
    request_set_header(rq, "Location", arena_printf(rq->arena, "%s/%s", rq->path, id));
    return reply_share(rq, arena_text(rq->arena, id));
}

static enum err lock_of_path(struct request *rq, struct share *s)
{
    struct share_search search;

    request_object(rq, "shares/%s", rq->args[1]);
    TRY(authority_fence(rq));
    search_here(rq, &search);
    TRY(share_lock(rq->db, &search, rq->args[1], s));
    request_audit(rq, "asset", json_string(arena_printf(rq->arena, "%s/%s", s->project, s->asset)));
    audit_before(rq, share_fields, s);
    return etag_check(rq, s->revision);
}

/* Who gives must have it to give, when it is given: the owner's decider, or whoever offered. */
static enum err owner_consents(struct request *rq, const struct share *s, const char *id)
{
    static const enum action needs[] = {SHARE_WRITE, ASSET_READ, FILE_READ};

    for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++)
        if (!auth_principal_may(rq, id, needs[i], s->project, s->asset))
            return fail(rq, ERR_DENIED, "%s needs %s for %s in project %s",
                        auth_principal_name(rq, id), action_text(needs[i]), s->asset, s->project);
    return OK;
}

/* The side that was asked answers, by somebody who did not ask. */
static enum err may_answer(struct request *rq, const struct share *s)
{
    bool asked = strcmp(s->state, "asked") == 0;
    const char *side = asked ? s->project : s->with;
    const char *first = auth_answerable(rq, s->requester_id);
    const char *second = auth_answerable(rq, rq->caller.id);

    if (!asked && strcmp(s->state, "offered") != 0)
        return fail(rq, ERR_CONFLICT, "the share is already %s", s->state);
    if (strcmp(side, rq->args[0]) != 0)
        return fail(rq, ERR_DENIED, "it is for project %s to agree", side);
    if (asked && !auth_may_asset(rq, SHARE_WRITE, s->asset))
        return fail(rq, ERR_DENIED, "this needs %s for %s", action_text(SHARE_WRITE), s->asset);
    if (first == NULL || second == NULL || strcmp(first, second) == 0)
        return fail(rq, ERR_FOUR_EYES, "nobody agrees with themselves");
    return auth_held_since(rq, asked ? SHARE_WRITE : SHARE_REQUEST, s->created_at);
}

/* What was named when it was asked for is there still. */
static enum err still_there(struct request *rq, const struct share *s)
{
    struct version_key key = {.number = 0};
    struct share_draft d;

    TRY(parse_asset(rq, s->asset, &key));
    key.number = s->version;
    return find_asset(rq, &(struct sides){.owner_id = s->owner_id}, &key, &d) == OK
               ? OK
               : fail(rq, ERR_CONFLICT, "%s is no longer there", s->asset);
}

/* POST /v1/projects/{project}/shares/{share}/decision */
enum err post_share_decision(struct request *rq)
{
    struct share_answer b;
    struct share s;
    bool agree;

    TRY(request_read(rq, &b));
    TRY(lock_of_path(rq, &s));
    TRY(may_answer(rq, &s));
    agree = strcmp(b.verdict, "agree") == 0;
    if (agree) {
        bool asked = strcmp(s.state, "asked") == 0;

        TRY(owner_consents(rq, &s, asked ? rq->caller.id : s.requester_id));
        TRY(still_there(rq, &s));
        if (auth_project_of(rq, s.with) == NULL)
            return fail(rq, ERR_CONFLICT, "project %s is no longer there", s.with);
    }
    TRY(share_decide(rq->db, s.id, agree ? "active" : "refused", rq->caller.id, b.reason));
    /* As it was found: by the policy from before, the other side would not see what is active. */
    s.state = agree ? "active" : "refused";
    s.decided_by = rq->caller.name;
    s.answer = b.reason;
    s.revision++;
    return etag_reply(rq, share_fields, &s, s.revision);
}

/* DELETE /v1/projects/{project}/shares/{share}: by either side, or by whoever asked. */
enum err delete_share(struct request *rq)
{
    struct share s;

    TRY(lock_of_path(rq, &s));
    if (strcmp(s.state, "refused") == 0 || strcmp(s.state, "ended") == 0)
        return fail(rq, ERR_CONFLICT, "the share is already %s", s.state);
    if (strcmp(s.project, rq->args[0]) == 0 && !auth_may_asset(rq, SHARE_WRITE, s.asset))
        return fail(rq, ERR_DENIED, "this needs %s for %s", action_text(SHARE_WRITE), s.asset);
    TRY(share_end(rq->db, s.id, rq->caller.id));
    return request_reply_empty(rq);
}
