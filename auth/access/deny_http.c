/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/deny.h"

#include "auth/access/place.h"
#include "auth/auth.h"
#include "auth/handlers.h"
#include "auth/listing.h"
#include "auth/session.h"
#include "lineage/audit.h"

#include <string.h>

struct new_deny {
    struct texts principals;
    struct texts excluded;
    struct texts actions;
    struct place place;
    const char *reason;
    const char *valid_until;
};

static const char *const places[] = {"tenant", "project", "asset", NULL};

const struct field new_deny_fields[] = {
    OPT_TEXTS(struct new_deny, principals, 100),
    OPT_TEXTS(struct new_deny, excluded, 100),
    TEXTS(struct new_deny, actions, 100),
    PLACE_FIELDS(struct new_deny, places),
    TEXT(struct new_deny, reason, 500),
    OPT_TIME(struct new_deny, valid_until),
    FIELDS_END,
};

struct new_ceiling {
    const char *principal;
    struct texts actions;
    struct place place;
};

const struct field new_ceiling_fields[] = {
    NAME(struct new_ceiling, principal),
    TEXTS(struct new_ceiling, actions, 100),
    PLACE_FIELDS(struct new_ceiling, places),
    FIELDS_END,
};

/* A name, or group:NAME. */
static enum err find_ids(struct request *rq, const char *member, const struct texts *names,
                         struct texts *ids)
{
    ids->items = arena_alloc(rq->arena, (names->count + 1) * sizeof(*ids->items));
    ids->count = 0;
    for (size_t i = 0; i < names->count; i++) {
        bool group = strncmp(names->items[i], "group:", 6) == 0;
        struct holder h;

        if (place_holder(rq, group ? NULL : names->items[i], group ? names->items[i] + 6 : NULL,
                         &h) != OK)
            return place_invalid(rq, member,
                                 arena_printf(rq->arena, "there is no %.80s", names->items[i]));
        ids->items[ids->count++] = holder_id(rq, h);
    }
    return OK;
}

static enum err check_actions(struct request *rq, const struct texts *patterns)
{
    struct action_set set = {{0}};

    if (patterns->count == 0)
        return place_invalid(rq, "actions", "names none");
    for (size_t i = 0; i < patterns->count; i++)
        if (strchr(patterns->items[i], ' ') != NULL ||
            !action_match(patterns->items[i], true, &set))
            return place_invalid(
                rq, "actions",
                arena_printf(rq->arena, "%.100s names no action", patterns->items[i]));
    return OK;
}

/* GET /v1/denies */
enum err get_denies(struct request *rq)
{
    struct listing l;
    struct rows rows;

    TRY(listing_read(rq, true, &l));
    TRY(deny_list(rq->db, l.after, l.limit + 1, &rows));
    return listing_reply(rq, &l, deny_fields, sizeof(struct deny), &rows,
                         offsetof(struct deny, id));
}

static enum err reply_deny(struct request *rq, const char *id)
{
    struct deny d;

    TRY(deny_find(rq->db, id, &d));
    request_status(rq, 201);
    return request_reply(rq, deny_fields, &d);
}

/* POST /v1/denies */
enum err post_deny(struct request *rq)
{
    struct new_deny n = {.reason = NULL};
    struct place_found place;
    struct deny d;
    char id[ID_SIZE];

    TRY(request_read(rq, &n));
    TRY(check_actions(rq, &n.actions));
    TRY(place_until(rq, n.valid_until));
    TRY(authority_fence(rq));
    TRY(place_find(rq, &n.place, DENY_WRITE, &place));
    id_new(id);
    request_object(rq, "denies/%s", id);
    d = (struct deny){.id = id,
                      .principals = n.principals,
                      .excluded = n.excluded,
                      .actions = n.actions,
                      .scope = n.place.scope,
                      .project_id = place.project_id,
                      .asset = n.place.asset,
                      .reason = n.reason,
                      .valid_until = n.valid_until};
    TRY(find_ids(rq, "principals", &n.principals, &d.holders));
    TRY(find_ids(rq, "excluded", &n.excluded, &d.spared));
    TRY(deny_insert(rq->db, &d, rq->caller.id));
    TRY(authority_someone_administers(rq));
    return reply_deny(rq, id);
}

/* DELETE /v1/denies/{deny} */
enum err delete_deny(struct request *rq)
{
    struct deny d;

    request_object(rq, "denies/%s", rq->args[0]);
    TRY(authority_fence(rq));
    TRY(authority_lift(rq, rq->args[0]));
    TRY(deny_find(rq->db, rq->args[0], &d));
    audit_before(rq, deny_fields, &d);
    TRY(deny_delete(rq->db, rq->args[0]));
    return request_reply_empty(rq);
}

/* GET /v1/ceilings */
enum err get_ceilings(struct request *rq)
{
    struct listing l;
    struct rows rows;

    TRY(listing_read(rq, true, &l));
    TRY(ceiling_list(rq->db, l.after, l.limit + 1, &rows));
    return listing_reply(rq, &l, ceiling_fields, sizeof(struct ceiling), &rows,
                         offsetof(struct ceiling, id));
}

static enum err reply_ceiling(struct request *rq, const char *id)
{
    struct ceiling c;

    TRY(ceiling_find(rq->db, id, &c));
    request_status(rq, 201);
    return request_reply(rq, ceiling_fields, &c);
}

/* POST /v1/ceilings */
enum err post_ceiling(struct request *rq)
{
    struct new_ceiling n = {.principal = NULL};
    const struct policy_principal *who;
    struct place_found place;
    struct holder h;
    char id[ID_SIZE];

    TRY(request_read(rq, &n));
    TRY(check_actions(rq, &n.actions));
    TRY(authority_fence(rq));
    TRY(place_find(rq, &n.place, DENY_WRITE, &place));
    TRY(place_holder(rq, n.principal, NULL, &h));
    who = policy_principal(session_of(rq)->policy, h.principal);
    if (who->kind != PRINCIPAL_SERVICE)
        return place_invalid(rq, "principal", "ceilings are for service accounts");
    id_new(id);
    request_object(rq, "ceilings/%s", n.principal);
    TRY(ceiling_insert(rq->db,
                       &(struct ceiling){.id = id,
                                         .principal_id = who->id,
                                         .actions = n.actions,
                                         .scope = n.place.scope,
                                         .project_id = place.project_id,
                                         .asset = n.place.asset},
                       rq->caller.id));
    return reply_ceiling(rq, id);
}

/* DELETE /v1/ceilings/{ceiling} */
enum err delete_ceiling(struct request *rq)
{
    struct ceiling c;

    request_object(rq, "ceilings/%s", rq->args[0]);
    TRY(authority_fence(rq));
    TRY(authority_lift(rq, rq->args[0]));
    TRY(ceiling_find(rq->db, rq->args[0], &c));
    audit_before(rq, ceiling_fields, &c);
    TRY(ceiling_delete(rq->db, rq->args[0]));
    return request_reply_empty(rq);
}
