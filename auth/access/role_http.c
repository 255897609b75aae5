/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/custom_role.h"

#include "auth/access/place.h"
#include "auth/auth.h"
#include "auth/handlers.h"
#include "auth/session.h"
#include "lineage/audit.h"

#include <string.h>

/* Roles, built in and the tenant's own. */

struct role_view {
    const char *name;
    const char *description;
    const char *cannot;
    bool privileged;
    bool custom;
    struct texts actions;
    struct texts scopes;
    json_t *definition;
    struct texts widening;
};

static const struct field role_fields[] = {
    NAME(struct role_view, name),
    TEXT(struct role_view, description, 500),
    TEXT(struct role_view, cannot, 500),
    BOOL(struct role_view, privileged),
    BOOL(struct role_view, custom),
    TEXTS(struct role_view, actions, ACTION_COUNT),
    TEXTS(struct role_view, scopes, 4),
    OPT_OBJECT(struct role_view, definition),
    TEXTS(struct role_view, widening, ACTION_COUNT),
    FIELDS_END,
};

struct role_body {
    const char *description;
    struct texts actions;
    struct texts not_actions;
    struct texts data_actions;
    struct texts not_data_actions;
    struct texts scopes;
};

const struct field role_body_fields[] = {
    OPT_TEXT(struct role_body, description, 500),
    OPT_TEXTS(struct role_body, actions, 100),
    OPT_TEXTS(struct role_body, not_actions, 100),
    OPT_TEXTS(struct role_body, data_actions, 100),
    OPT_TEXTS(struct role_body, not_data_actions, 100),
    OPT_TEXTS(struct role_body, scopes, 3),
    FIELDS_END,
};

static struct texts texts_new(struct arena *a, size_t most)
{
    return (struct texts){.items = arena_alloc(a, most * sizeof(const char *))};
}

static void add(struct texts *list, bool applies, const char *text)
{
    if (applies)
        list->items[list->count++] = text;
}

static struct texts set_texts(struct arena *a, const struct action_set *set)
{
    struct texts t = texts_new(a, ACTION_COUNT);

    for (unsigned i = DENY + 1; i < ACTION_COUNT; i++)
        add(&t, action_in(set, (enum action)i), action_text((enum action)i));
    return t;
}

static struct role_view built_in(struct arena *a, enum role role)
{
    const struct role_facts *facts = role_facts(role);
    struct role_view v = {.name = facts->text,
                          .description = facts->description,
                          .cannot = facts->cannot,
                          .privileged = facts->class == CLASS_PRIVILEGED,
                          .actions = set_texts(a, &facts->actions),
                          .scopes = texts_new(a, 4)};

    add(&v.scopes, (facts->places & AT_PLATFORM) != 0, "platform");
    add(&v.scopes, (facts->places & AT_TENANT) != 0, "tenant");
    add(&v.scopes, (facts->places & AT_PROJECT) != 0, "project");
    add(&v.scopes, (facts->places & AT_ASSET) != 0, "asset");
    return v;
}

/* Add or take away what the patterns name among the actions that are data, or those that are not.
 * The first pattern that names nothing is returned, NULL for none. */
static const char *apply(const struct texts *patterns, bool data, bool take, struct action_set *set)
{
    for (size_t i = 0; i < patterns->count; i++) {
        struct action_set named = {{0}};
        bool any = action_match(patterns->items[i], false, &named);

        for (unsigned a = 0; a < ACTION_COUNT; a++)
            if (action_in(&named, (enum action)a) &&
                (action_class((enum action)a) == CLASS_DATA) == data) {
                if (take)
                    set->words[a >> 6] &= ~((uint64_t)1 << (a & 63));
                else
                    action_add(set, (enum action)a);
            }
        if (!any)
            return patterns->items[i];
    }
    return NULL;
}

static const char *expand(const struct custom_role *r, struct action_set *out)
{
    struct action_set data = {{0}};
    const char *wrong = apply(&r->actions, false, false, out);

    *out = wrong == NULL ? *out : (struct action_set){{0}};
    wrong = wrong != NULL ? wrong : apply(&r->not_actions, false, true, out);
    wrong = wrong != NULL ? wrong : apply(&r->data_actions, true, false, &data);
    wrong = wrong != NULL ? wrong : apply(&r->not_data_actions, true, true, &data);
    for (size_t w = 0; w < ACTION_WORDS; w++)
        out->words[w] |= data.words[w];
    return wrong;
}

/* Of what was saved; a text that is no action any more is left out. */
static struct action_set saved_set(const struct custom_role *r)
{
    struct action_set set = {{0}};

    for (size_t i = 0; i < r->expanded.count; i++)
        if (action_find(r->expanded.items[i]) != DENY)
            action_add(&set, action_find(r->expanded.items[i]));
    return set;
}

static json_t *patterns_json(const struct texts *t)
{
    json_t *list = json_array();

    for (size_t i = 0; i < t->count; i++)
        json_array_append_new(list, json_string(t->items[i]));
    return list;
}

static void release(void *json)
{
    json_decref(json);
}

static struct role_view custom(struct arena *a, const struct custom_role *r)
{
    struct action_set set = saved_set(r);
    struct action_set now = {{0}};
    struct role_view v = {.name = r->name,
                          .description = r->description,
                          .cannot = "",
                          .custom = true,
                          .privileged = authority_privileged(&set),
                          .actions = set_texts(a, &set),
                          .scopes = r->scopes};

    (void)expand(r, &now);
    for (size_t w = 0; w < ACTION_WORDS; w++)
        now.words[w] &= ~set.words[w];
    v.widening = set_texts(a, &now);
    v.definition =
        json_pack("{s:o,s:o,s:o,s:o,s:s,s:I}", "actions", patterns_json(&r->actions), "not_actions",
                  patterns_json(&r->not_actions), "data_actions", patterns_json(&r->data_actions),
                  "not_data_actions", patterns_json(&r->not_data_actions), "catalogue",
                  r->catalogue, "revision", (json_int_t)r->revision);
    arena_own(a, v.definition, release);
    return v;
}

/* GET /v1/roles?widening=true shows only roles that the catalogue's new actions would widen. */
enum err get_roles(struct request *rq)
{
    const char *only = request_query(rq, "widening");
    struct rows own;
    struct role_view *views;
    struct rows rows = {.count = 0};

    TRY(custom_role_list(rq->db, &own));
    views = arena_alloc(rq->arena, (ROLE_COUNT + own.count) * sizeof(*views));
    rows.items = views;
    for (unsigned r = 0; only == NULL && r < ROLE_COUNT; r++)
        views[rows.count++] = built_in(rq->arena, (enum role)r);
    for (size_t i = 0; i < own.count; i++) {
        views[rows.count] = custom(rq->arena, &((const struct custom_role *)own.items)[i]);
        rows.count += only == NULL || views[rows.count].widening.count > 0;
    }
    return request_reply_list(rq, role_fields, sizeof(*views), &rows, NULL);
}

static enum err reply_role(struct request *rq, const char *name)
{
    enum role role = role_find(name);
    struct custom_role r;
    struct role_view v;

    if (role == ROLE_COUNT) {
        TRY(custom_role_find(rq->db, name, &r));
        v = custom(rq->arena, &r);
    } else {
        v = built_in(rq->arena, role);
    }
    return request_reply(rq, role_fields, &v);
}

/* GET /v1/roles/{role} */
enum err get_role(struct request *rq)
{
    return reply_role(rq, rq->args[0]);
}

static enum err check_scopes(struct request *rq, struct role_body *b, bool is_privileged)
{
    static const char *usual[] = {"tenant", "project"};

    if (b->scopes.count == 0)
        b->scopes = (struct texts){usual, is_privileged ? 1 : 2};
    for (size_t i = 0; i < b->scopes.count; i++) {
        const char *scope = b->scopes.items[i];

        if (strcmp(scope, "tenant") != 0 && strcmp(scope, "project") != 0 &&
            strcmp(scope, "asset") != 0)
            return place_invalid(rq, "scopes", "are tenant, project and asset");
        if (is_privileged && strcmp(scope, "tenant") != 0)
            return place_invalid(rq, "scopes", "of a role with privileged actions is the tenant");
    }
    return OK;
}

static const char *catalogue_digest(struct arena *a)
{
    struct text t = text_new(65536);
    char *hex = arena_alloc(a, 65);
    struct digest d;

    for (unsigned i = 0; i < ACTION_COUNT; i++)
        text_printf(&t, "%s\n", action_text((enum action)i));
    d = sha256_of(t.data, t.length);
    hex_encode(d.bytes, sizeof(d.bytes), hex);
    text_free(&t);
    return hex;
}

static enum err check_role(struct request *rq, struct role_body *b, struct action_set *set)
{
    const struct custom_role r = {.actions = b->actions,
                                  .not_actions = b->not_actions,
                                  .data_actions = b->data_actions,
                                  .not_data_actions = b->not_data_actions};
    const char *wrong = expand(&r, set);

    if (role_find(rq->args[0]) != ROLE_COUNT)
        return fail(rq, ERR_CONFLICT, "%s is a built-in role, which nobody changes", rq->args[0]);
    if (!name_valid(rq->args[0]))
        return fail(rq, ERR_INVALID, "the name of a role is 1 to 63 of a-z 0-9 . _ -");
    if (wrong != NULL)
        return place_invalid(rq, "actions",
                             arena_printf(rq->arena, "%.100s names no action", wrong));
    if (action_in(set, TENANT_CREATE))
        return place_invalid(rq, "actions", "the platform's are not a tenant's to give");
    return check_scopes(rq, b, authority_privileged(set));
}

static enum err before(struct request *rq)
{
    struct custom_role r;
    struct role_view v;
    enum err e = custom_role_find(rq->db, rq->args[0], &r);

    if (e != OK)
        return e == ERR_NOT_FOUND ? OK : e;
    v = custom(rq->arena, &r);
    audit_before(rq, role_fields, &v);
    return OK;
}

/* PUT /v1/roles/{role} */
enum err put_role(struct request *rq)
{
    struct role_body b = {.description = ""};
    struct action_set set = {{0}};
    struct custom_role r;

    TRY(request_read(rq, &b));
    request_object(rq, "roles/%s", rq->args[0]);
    TRY(check_role(rq, &b, &set));
    TRY(authority_fence(rq));
    TRY(authority_save(rq, policy_find_role(session_of(rq)->policy, rq->args[0]), &set));
    r = (struct custom_role){.name = rq->args[0],
                             .description = b.description,
                             .actions = b.actions,
                             .not_actions = b.not_actions,
                             .data_actions = b.data_actions,
                             .not_data_actions = b.not_data_actions,
                             .scopes = b.scopes,
                             .expanded = set_texts(rq->arena, &set),
                             .catalogue = catalogue_digest(rq->arena)};
    TRY(before(rq));
    TRY(custom_role_put(rq->db, &r, rq->caller.id));
    return reply_role(rq, rq->args[0]);
}

/* DELETE /v1/roles/{role} */
enum err delete_role(struct request *rq)
{
    bool used;

    request_object(rq, "roles/%s", rq->args[0]);
    if (role_find(rq->args[0]) != ROLE_COUNT)
        return fail(rq, ERR_CONFLICT, "%s is a built-in role, which nobody changes", rq->args[0]);
    TRY(authority_fence(rq));
    TRY(custom_role_used(rq->db, rq->args[0], &used));
    if (used)
        return fail(rq, ERR_CONFLICT, "%s is given to somebody; take it back first", rq->args[0]);
    TRY(before(rq));
    TRY(custom_role_delete(rq->db, rq->args[0]));
    return request_reply_empty(rq);
}
