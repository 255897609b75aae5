/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/group.h"

#include "auth/access/place.h"
#include "auth/auth.h"
#include "auth/handlers.h"
#include "auth/listing.h"
#include "auth/session.h"
#include "lineage/audit.h"

#include <string.h>

struct new_group {
    const char *name;
    const char *display_name;
};

const struct field new_group_fields[] = {
    NAME(struct new_group, name),
    OPT_TEXT(struct new_group, display_name, 200),
    FIELDS_END,
};

struct member_body {
    const char *principal;
    const char *group;
    const char *valid_until;
};

const struct field member_body_fields[] = {
    OPT_NAME(struct member_body, principal),
    OPT_NAME(struct member_body, group),
    OPT_TIME(struct member_body, valid_until),
    FIELDS_END,
};

static enum err may_read(struct request *rq)
{
    return authority_anywhere(rq, USER_READ)
               ? OK
               : fail(rq, ERR_DENIED, "this needs %s", action_text(USER_READ));
}

/* GET /v1/groups */
enum err get_groups(struct request *rq)
{
    struct listing l;
    struct rows rows;

    TRY(may_read(rq));
    TRY(listing_read(rq, false, &l));
    TRY(group_list(rq->db, l.after, l.limit + 1, &rows));
    return listing_reply(rq, &l, group_fields, sizeof(struct group), &rows,
                         offsetof(struct group, name));
}

static enum err reply_group(struct request *rq, const char *name)
{
    struct group g;

    TRY(group_find(rq->db, name, &g));
    return request_reply(rq, group_fields, &g);
}

/* GET /v1/groups/{group} */
enum err get_group(struct request *rq)
{
    TRY(may_read(rq));
    return reply_group(rq, rq->args[0]);
}

/* POST /v1/groups */
enum err post_group(struct request *rq)
{
    struct new_group n = {.name = NULL};
    char id[ID_SIZE];
    enum err e;

    TRY(request_read(rq, &n));
    request_object(rq, "groups/%s", n.name);
    TRY(authority_fence(rq));
    id_new(id);
    e = group_insert(
        rq->db,
        &(struct group){
            .id = id, .name = n.name, .display_name = n.display_name, .source = "local"},
        rq->caller.id);
    if (e == ERR_EXISTS) {
        rq->target = "name";
        return fail(rq, e, "there is a group %s already", n.name);
    }
    TRY(e);
    request_status(rq, 201);
    return reply_group(rq, n.name);
}

/* DELETE /v1/groups/{group} */
enum err delete_group(struct request *rq)
{
    struct group g;
    bool given;

    request_object(rq, "groups/%s", rq->args[0]);
    TRY(authority_fence(rq));
    TRY(group_find(rq->db, rq->args[0], &g));
    audit_before(rq, group_fields, &g);
    TRY(group_given(rq->db, g.id, &given));
    if (given)
        return fail(rq, ERR_CONFLICT, "%s has roles or denies; take them back first", g.name);
    TRY(group_delete(rq->db, g.id));
    return request_reply_empty(rq);
}

/* GET /v1/groups/{group}/members */
enum err get_members(struct request *rq)
{
    struct group g;
    struct rows rows;

    TRY(may_read(rq));
    TRY(group_find(rq->db, rq->args[0], &g));
    TRY(member_list(rq->db, g.id, &rows));
    return request_reply_list(rq, member_fields, sizeof(struct member), &rows, NULL);
}

static enum err put(struct request *rq, const struct group *g, const struct holder *who,
                    const char *until)
{
    const char *id = holder_id(rq, *who);
    enum err e = member_put(rq->db,
                            &(struct new_member){.group_id = g->id,
                                                 .principal_id = who->group == 0 ? id : NULL,
                                                 .child_id = who->group != 0 ? id : NULL,
                                                 .source = "local",
                                                 .valid_until = until},
                            rq->caller.id);

    if (e == ERR_INVALID && rq->db->constraint != NULL &&
        strcmp(rq->db->constraint, "group_member_depth") == 0)
        return place_invalid(rq, "group", "groups nest at most five deep");
    if (e == ERR_INVALID)
        return place_invalid(rq, "group", "a group cannot be in itself");
    return e;
}

/* Leaving a group that a deny is for lifts it; so does joining one that a deny spares. */
static enum err may_lift(struct request *rq, uint32_t group, enum policy_kind kind,
                         struct holder whom)
{
    return policy_group_has(session_of(rq)->policy, group, kind) ? authority_free(rq, whom) : OK;
}

/* POST /v1/groups/{group}/members: what the group has, its new member gets (E5). */
enum err post_member(struct request *rq)
{
    struct member_body b = {.principal = NULL};
    struct group g;
    struct holder who;
    uint32_t into;

    TRY(request_read(rq, &b));
    TRY(place_until(rq, b.valid_until));
    TRY(authority_fence(rq));
    TRY(group_find(rq->db, rq->args[0], &g));
    into = policy_find_group(session_of(rq)->policy, g.id);
    TRY(place_holder(rq, b.principal, b.group, &who));
    request_object(rq, "groups/%s/%s", g.name, holder_name(rq, who));
    TRY(authority_admit(rq, into, who));
    TRY(may_lift(rq, into, GRANT_SPARE, who));
    TRY(put(rq, &g, &who, b.valid_until));
    TRY(authority_result(rq));
    request_status(rq, 201);
    return reply_group(rq, g.name);
}

/* DELETE /v1/groups/{group}/members/{member}: a user, service account or, after group:, a group.
 * Whoever may not give what the group has may not take it either: a deny might rest on it. */
enum err delete_member(struct request *rq)
{
    const struct policy *p;
    const char *name = rq->args[1];
    bool is_group = strncmp(name, "group:", 6) == 0;
    struct group g;
    struct holder who;

    request_object(rq, "groups/%s/%s", rq->args[0], name);
    TRY(authority_fence(rq));
    p = session_of(rq)->policy;
    TRY(group_find(rq->db, rq->args[0], &g));
    TRY(place_holder(rq, is_group ? NULL : name, is_group ? name + 6 : NULL, &who));
    TRY(authority_admit(rq, policy_find_group(p, g.id), who));
    TRY(may_lift(rq, policy_find_group(p, g.id), GRANT_DENY, who));
    TRY(member_delete(rq->db, g.id, holder_id(rq, who)));
    TRY(authority_someone_administers(rq));
    return request_reply_empty(rq);
}
