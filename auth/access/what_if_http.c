/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/binding.h"
#include "auth/access/custom_role.h"
#include "auth/access/deny.h"
#include "auth/access/explain.h"
#include "auth/access/place.h"
#include "auth/access/policy_store.h"
#include "auth/access/replay.h"
#include "auth/handlers.h"
#include "auth/session.h"

#include <string.h>

/* What a change would give and take, before anybody makes it: it is made in a transaction, the
 * policy is loaded as it then is, and the transaction is given up. */

enum { TRIPLES_MAX = 1000, REPLAY_DAYS_MAX = 365 };

struct what_if {
    const char *change;
    const char *binding; /* of take */
    const char *principal;
    const char *group;
    const char *role;     /* of give and role */
    struct texts actions; /* of deny and role: patterns */
    int64_t replay_days;  /* 0: the log is not asked */
    struct place place;
};

static const char *const changes[] = {"give", "take", "deny", "role", NULL};
static const char *const places[] = {"tenant", "project", "asset", NULL};

const struct field what_if_fields[] = {
    CHOICE(struct what_if, change, changes),
    OPT_TEXT(struct what_if, binding, 36),
    OPT_NAME(struct what_if, principal),
    OPT_NAME(struct what_if, group),
    OPT_TEXT(struct what_if, role, 63),
    OPT_TEXTS(struct what_if, actions, 100),
    PLACE_OPT_FIELDS(struct what_if, places),
    OPT_INT(struct what_if, replay_days, 0, REPLAY_DAYS_MAX),
    FIELDS_END,
};

struct trial {
    struct request *rq;
    struct what_if w;
    struct place_found place;
    struct holder to;
    struct policy *before, *after;
    struct replay past;
    enum err result;
};

static enum err give(struct trial *t)
{
    char id[ID_SIZE];
    const char *holder = holder_id(t->rq, t->to);

    id_new(id);
    return binding_insert(t->rq->db,
                          &(struct binding){.id = id,
                                            .principal_id = t->to.group == 0 ? holder : NULL,
                                            .group_id = t->to.group != 0 ? holder : NULL,
                                            .role = t->w.role,
                                            .scope = t->w.place.scope,
                                            .project_id = t->place.project_id,
                                            .asset = t->w.place.asset},
                          t->rq->caller.id);
}

static enum err deny(struct trial *t)
{
    char id[ID_SIZE];
    const char *holder = holder_id(t->rq, t->to);

    id_new(id);
    return deny_insert(t->rq->db,
                       &(struct deny){.id = id,
                                      .actions = t->w.actions,
                                      .scope = t->w.place.scope,
                                      .project_id = t->place.project_id,
                                      .asset = t->w.place.asset,
                                      .reason = "what if",
                                      .holders = {&holder, 1}},
                       t->rq->caller.id);
}

/* Ordinary and data actions alike; the privileged only by their names, as a saved role. */
static enum err change_role(struct trial *t)
{
    struct action_set set = {{0}};
    struct texts all = {.items = arena_alloc(t->rq->arena, ACTION_COUNT * sizeof(const char *))};
    const char *scopes[] = {"tenant", "project", "asset"};

    for (size_t i = 0; i < t->w.actions.count; i++)
        (void)action_match(t->w.actions.items[i], false, &set);
    for (unsigned a = 0; a < ACTION_COUNT; a++)
        if (action_in(&set, (enum action)a))
            all.items[all.count++] = action_text((enum action)a);
    return custom_role_put(t->rq->db,
                           &(struct custom_role){.name = t->w.role,
                                                 .description = "",
                                                 .actions = t->w.actions,
                                                 .scopes = {scopes, 3},
                                                 .expanded = all,
                                                 .catalogue = ""},
                           t->rq->caller.id);
}

static enum err apply(struct trial *t)
{
    if (strcmp(t->w.change, "give") == 0)
        return give(t);
    if (strcmp(t->w.change, "take") == 0)
        return binding_delete(t->rq->db, t->w.binding);
    return strcmp(t->w.change, "deny") == 0 ? deny(t) : change_role(t);
}

/* Always fails, so that nothing stays; result tells how it went. */
static enum err try_it(void *arg)
{
    struct trial *t = arg;
    const char *tenant = t->rq->caller.tenant_id;

    policy_drop(t->before);
    policy_drop(t->after);
    t->before = t->after = NULL;
    t->result = policy_load_here(t->rq->db, tenant, &t->before);
    if (t->result == OK && t->w.replay_days > 0)
        t->result = replay_load(t->rq->db, t->w.replay_days, &t->past);
    if (t->result == OK)
        t->result = apply(t);
    if (t->result == OK)
        t->result = policy_load_here(t->rq->db, tenant, &t->after);
    return t->result == OK ? ERR_CONFLICT : t->result;
}

/* -1: lost, 1: gained, 0: as it was. */
static int change_at(const struct trial *t, const struct policy_question *q, uint32_t before_scope,
                     uint32_t after_scope)
{
    struct policy_question then = *q;
    struct policy_question now = *q;

    then.scope = before_scope;
    now.scope = after_scope;
    return (int)policy_decide(t->after, &now) - (int)policy_decide(t->before, &then);
}

/* Said once, at the highest place where it is so. */
static void compare(struct arena *a, const struct trial *t, const struct policy_question *q,
                    uint32_t before_scope, json_t *lost, json_t *gained)
{
    int change = change_at(t, q, before_scope, q->scope);
    uint32_t above = policy_parent(t->after, q->scope);

    if (change == 0 || change == change_at(t, q, above, above))
        return;
    json_array_append_new(
        change < 0 ? lost : gained,
        json_pack("{s:s,s:s,s:s}", "principal", policy_principal(t->after, q->principal)->name,
                  "action", action_text(q->action), "at", explain_scope(a, t->after, q->scope)));
}

/* All actions of everybody at one place; false when there is no more room. */
static bool compare_at(struct arena *a, const struct trial *t, uint32_t before_scope,
                       uint32_t after_scope, json_t *lost, json_t *gained)
{
    struct policy_question q = {.now_ms = time_now_ms(), .scope = after_scope};

    for (q.principal = 0; q.principal < policy_principals(t->after); q.principal++)
        for (unsigned i = ANYONE + 1; i < ACTION_COUNT; i++) {
            q.action = (enum action)i;
            compare(a, t, &q, before_scope, lost, gained);
            if (json_array_size(lost) + json_array_size(gained) >= TRIPLES_MAX)
                return false;
        }
    return true;
}

/* Principals and projects come in the same order in both policies; assets need not. */
static json_t *difference(struct arena *a, const struct trial *t)
{
    uint32_t scopes = (uint32_t)(SCOPE_AT_PROJECTS + policy_projects(t->after));
    json_t *lost = json_array();
    json_t *gained = json_array();
    bool complete = true;

    for (uint32_t scope = SCOPE_AT_TENANT; scope < scopes && complete; scope++)
        complete = compare_at(a, t, scope, scope, lost, gained);
    for (uint32_t scope = scopes; scope < policy_scopes(t->after) && complete; scope++) {
        const struct policy_asset *asset = policy_asset(t->after, scope);

        complete = compare_at(a, t, policy_asset_scope(t->before, asset->project, asset->name),
                              scope, lost, gained);
    }
    return json_pack("{s:o,s:o,s:b,s:o,s:I,s:b}", "lost", lost, "gained", gained, "complete",
                     complete, "replay", replay_differences(&t->past, t->before, t->after),
                     "replayed", (json_int_t)t->past.rows.count, "replay_complete",
                     t->past.complete);
}

static enum err read_change(struct request *rq, struct trial *t)
{
    const struct policy *p = session_of(rq)->policy;
    const char *change = t->w.change;
    bool to_somebody = strcmp(change, "give") == 0 || strcmp(change, "deny") == 0;
    bool of_role = strcmp(change, "give") == 0 || strcmp(change, "role") == 0;

    if (strcmp(change, "take") == 0 && (t->w.binding == NULL || !id_valid(t->w.binding)))
        return place_invalid(rq, "binding", "is the id of what would be taken");
    if (of_role && (t->w.role == NULL || !name_valid(t->w.role)))
        return place_invalid(rq, "role", "is the name of a role");
    if (strcmp(change, "give") == 0 && policy_find_role(p, t->w.role) == POLICY_NONE)
        return place_invalid(rq, "role", "there is no such role");
    if (strcmp(change, "role") == 0 && role_find(t->w.role) != ROLE_COUNT)
        return place_invalid(rq, "role", "is built in, which nobody changes");
    if ((strcmp(change, "deny") == 0 || strcmp(change, "role") == 0) && t->w.actions.count == 0)
        return place_invalid(rq, "actions", "names none");
    if (!to_somebody)
        return OK;
    if (t->w.place.scope == NULL)
        return place_invalid(rq, "scope", "is tenant, project or asset");
    TRY(place_find(rq, &t->w.place, ACCESS_CHECK, &t->place));
    return place_holder(rq, t->w.principal, t->w.group, &t->to);
}

/* POST /v1/access/what-if */
enum err post_what_if(struct request *rq)
{
    struct trial t = {.rq = rq, .past.complete = true};
    enum err e;

    TRY(request_read(rq, &t.w));
    TRY(read_change(rq, &t));
    e = db_tx(rq->db, TX_WRITE, rq->caller.tenant_id, try_it, &t);
    if (t.result == OK && t.after != NULL)
        e = request_reply_json(rq, difference(rq->arena, &t));
    else if (t.result == ERR_EXISTS)
        e = fail(rq, ERR_EXISTS, "that is so already");
    policy_drop(t.before);
    policy_drop(t.after);
    return e;
}
