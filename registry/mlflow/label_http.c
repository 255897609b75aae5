/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/label.h"

#include "auth/access/lattice.h"
#include "auth/auth.h"
#include "registry/asset.h"
#include "registry/handlers.h"

#include <string.h>

struct label_body {
    const char *level;
    struct texts purposes;
    bool any_purpose;
    const char *reason;
};

const struct field label_body_fields[] = {
    TEXT(struct label_body, level, 63),
    OPT_TEXTS(struct label_body, purposes, 50),
    OPT_BOOL(struct label_body, any_purpose),
    OPT_TEXT(struct label_body, reason, 2000),
    FIELDS_END,
};

struct label_verdict {
    const char *verdict;
    const char *reason;
};

static const char *const verdicts[] = {"approve", "reject", NULL};

const struct field label_verdict_fields[] = {
    CHOICE(struct label_verdict, verdict, verdicts),
    TEXT(struct label_verdict, reason, 2000),
    FIELDS_END,
};

static json_t *texts_json(const struct texts *t)
{
    json_t *list = json_array();

    for (size_t i = 0; i < t->count; i++)
        json_array_append_new(list, json_string(t->items[i]));
    return list;
}

static const char *level_name(const struct levels *levels, int64_t level)
{
    return level < (int64_t)levels->count ? levels->names[level] : levels->names[levels->count - 1];
}

static enum err find_asset(struct request *rq, struct asset *a)
{
    request_object(rq, "%s", asset_path(rq->arena, asset_kind(rq), rq->args[1]));
    TRY(asset_find(rq->db, auth_project_id(rq), asset_kind(rq), rq->args[1], a));
    return strcmp(a->state, "active") == 0 ? OK : ERR_NOT_FOUND;
}

static json_t *label_json(const struct levels *levels, const struct label *l)
{
    return json_pack("{s:s,s:o*,s:o,s:s*}", "level", level_name(levels, l->level), "purposes",
                     l->limited ? texts_json(&l->purposes) : NULL, "sources",
                     texts_json(&l->sources), "set_at", l->set_at);
}

static enum err reply_label(struct request *rq, const char *asset_id)
{
    struct levels levels;
    struct label l;

    TRY(lattice_load(rq->db, &levels));
    TRY(label_find(rq->db, asset_id, &l));
    return request_reply_json(rq, label_json(&levels, &l));
}

/* GET …/{models|datasets}/{name}/classification */
enum err get_label(struct request *rq)
{
    struct asset a;

    TRY(find_asset(rq, &a));
    return reply_label(rq, a.id);
}

static bool in_texts(const struct texts *t, const char *text)
{
    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->items[i], text) == 0)
            return true;
    return false;
}

/* Would this let anybody do more with it than before? */
static bool sinks(const struct label *from, const struct label *to)
{
    if (to->level < from->level || (from->limited && !to->limited))
        return true;
    for (size_t i = 0; from->limited && i < to->purposes.count; i++)
        if (!in_texts(&from->purposes, to->purposes.items[i]))
            return true;
    return false;
}

static json_t *declassification_json(const struct levels *levels, const struct declassification *d)
{
    return json_pack("{s:s,s:s,s:s,s:s,s:o*,s:s,s:s,s:s,s:s*,s:s*,s:s}", "id", d->id, "asset",
                     d->asset, "from", level_name(levels, d->from_level), "level",
                     level_name(levels, d->level), "purposes",
                     d->limited ? texts_json(&d->purposes) : NULL, "reason", d->reason,
                     "requested_by", d->requested_by, "state", d->state, "decided_by",
                     d->decided_by, "verdict", d->verdict, "created_at", d->created_at);
}

static enum err reply_declassification(struct request *rq, const char *id)
{
    struct declassification d;
    struct levels levels;

    TRY(lattice_load(rq->db, &levels));
    TRY(declassification_lock(rq->db, auth_project_id(rq), id, &d));
    return request_reply_json(rq, declassification_json(&levels, &d));
}

static enum err ask_another(struct request *rq, const struct asset *a, const struct label *from,
                            const struct label *to, const char *reason)
{
    char id[ID_SIZE];
    struct declassification d = {.id = id,
                                 .asset_id = a->id,
                                 .from_level = from->level,
                                 .level = to->level,
                                 .limited = to->limited,
                                 .purposes = to->purposes,
                                 .reason = reason};
    enum err e;

    if (reason == NULL) {
        rq->target = "reason";
        return fail(rq, ERR_INVALID, "reason: a lower class, or more purposes, wants one");
    }
    id_new(id);
    e = declassification_insert(rq->db, &d, rq->caller.id);
    if (e == ERR_EXISTS)
        return fail(rq, e, "somebody has asked to declassify %s already", a->name);
    TRY(e);
    request_audit(rq, "declassification", json_string(id));
    request_status(rq, 202);
    return reply_declassification(rq, arena_text(rq->arena, id));
}

/* PUT …/classification: up at once; down is asked for, and another grants it. */
enum err put_label(struct request *rq)
{
    struct label_body b = {.level = NULL};
    struct levels levels;
    struct asset a;
    struct label from;
    struct label to;

    TRY(request_read(rq, &b));
    TRY(find_asset(rq, &a));
    TRY(lattice_load(rq->db, &levels));
    TRY(label_find(rq->db, a.id, &from));
    to = (struct label){.level = level_find(&levels, b.level),
                        .limited = b.purposes.count > 0 || (from.limited && !b.any_purpose),
                        .purposes = b.purposes.count > 0 ? b.purposes : from.purposes};
    if (to.level < 0) {
        rq->target = "level";
        return fail(rq, ERR_INVALID, "level: there is no such level; GET /v1/lattice lists them");
    }
    if (sinks(&from, &to))
        return ask_another(rq, &a, &from, &to, b.reason);
    request_audit(rq, "before", label_json(&levels, &from));
    TRY(label_put(rq->db, a.id, &to, rq->caller.id));
    return reply_label(rq, a.id);
}

static bool may_see(struct request *rq, const struct declassification *d)
{
    return auth_may_asset(rq, ASSET_READ, d->asset);
}

/* GET /v1/projects/{project}/declassifications */
enum err get_declassifications(struct request *rq)
{
    const struct declassification *list;
    struct levels levels;
    struct rows rows;
    json_t *value;

    TRY(lattice_load(rq->db, &levels));
    TRY(declassification_list(rq->db, auth_project_id(rq), &rows));
    list = rows.items;
    value = json_array();
    for (size_t i = 0; i < rows.count; i++)
        if (may_see(rq, &list[i]))
            json_array_append_new(value, declassification_json(&levels, &list[i]));
    return request_reply_json(rq, json_pack("{s:o}", "value", value));
}

static enum err may_decide(struct request *rq, const struct declassification *d)
{
    const char *asked = auth_answerable(rq, d->requester_id);
    const char *decides = auth_answerable(rq, rq->caller.id);

    if (!may_see(rq, d))
        return ERR_NOT_FOUND;
    if (!auth_may_asset(rq, CLASSIFY, d->asset))
        return fail(rq, ERR_DENIED, "this needs %s for %s", action_text(CLASSIFY), d->asset);
    if (strcmp(d->state, "pending") != 0)
        return fail(rq, ERR_CONFLICT, "the request is already %s", d->state);
    if (asked == NULL || decides == NULL || strcmp(asked, decides) == 0)
        return fail(rq, ERR_FOUR_EYES, "nobody declassifies alone");
    return auth_held_since(rq, CLASSIFY, d->created_at);
}

static enum err carry_out(struct request *rq, const struct declassification *d)
{
    struct levels levels;
    struct label now, then;

    TRY(lattice_load(rq->db, &levels));
    TRY(label_find(rq->db, d->asset_id, &now));
    if (now.level != d->from_level)
        return fail(rq, ERR_CONFLICT, "%s has been classified anew since this was asked", d->asset);
    request_audit(rq, "before", label_json(&levels, &now));
    TRY(label_put(
        rq->db, d->asset_id,
        &(struct label){.level = d->level, .limited = d->limited, .purposes = d->purposes},
        rq->caller.id));
    TRY(label_find(rq->db, d->asset_id, &then));
    request_audit(rq, "after", label_json(&levels, &then));
    return OK;
}

/* POST /v1/projects/{project}/declassifications/{declassification}/decision */
enum err post_declassification_decision(struct request *rq)
{
    struct label_verdict b;
    struct declassification d;

    TRY(request_read(rq, &b));
    request_object(rq, "declassifications/%s", rq->args[1]);
    TRY(declassification_lock(rq->db, auth_project_id(rq), rq->args[1], &d));
    TRY(may_decide(rq, &d));
    request_audit(rq, "asset", json_string(d.asset));
    d.state = strcmp(b.verdict, "approve") == 0 ? "approved" : "rejected";
    d.verdict = b.reason;
    TRY(declassification_close(rq->db, &d, rq->caller.id));
    if (strcmp(d.state, "approved") == 0)
        TRY(carry_out(rq, &d));
    return reply_declassification(rq, d.id);
}
