/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/principal.h"

#include "auth/access/authority.h"
#include "auth/auth.h"
#include "auth/handlers.h"
#include "auth/listing.h"
#include "auth/session.h"
#include "auth/sign_in/login_session.h"
#include "auth/sign_in/new_password.h"
#include "auth/sign_in/password.h"
#include "lineage/audit.h"

#include <string.h>

enum { DISPLAY_MAX = 200, EMAIL_MAX = 254 };

static const char *const states[] = {"active", "disabled", NULL};

/* What a body says of a principal; NULL for what it does not. */
struct principal_body {
    const char *name;
    const char *display_name;
    const char *email;
    const char *state;
    const char *owner;
    const char *password;
};

#define PASSWORD(record, member)                                                                   \
    FIELD_(record, member, FIELD_TEXT, .optional = true, .min = PASSWORD_MIN, .max = PASSWORD_MAX)

const struct field new_user_fields[] = {
    NAME(struct principal_body, name),
    OPT_TEXT(struct principal_body, display_name, DISPLAY_MAX),
    OPT_TEXT(struct principal_body, email, EMAIL_MAX),
    PASSWORD(struct principal_body, password),
    FIELDS_END,
};

const struct field user_change_fields[] = {
    OPT_TEXT(struct principal_body, display_name, DISPLAY_MAX),
    OPT_TEXT(struct principal_body, email, EMAIL_MAX),
    OPT_CHOICE(struct principal_body, state, states),
    PASSWORD(struct principal_body, password),
    FIELDS_END,
};

const struct field new_service_account_fields[] = {
    NAME(struct principal_body, name),
    OPT_TEXT(struct principal_body, display_name, DISPLAY_MAX),
    OPT_NAME(struct principal_body, owner),
    FIELDS_END,
};

const struct field service_account_change_fields[] = {
    OPT_TEXT(struct principal_body, display_name, DISPLAY_MAX),
    OPT_CHOICE(struct principal_body, state, states),
    OPT_NAME(struct principal_body, owner),
    FIELDS_END,
};

static enum err hash_password(struct request *rq, const char *password, const char **phc)
{
    return password == NULL ? OK : new_password(rq, "password", password, phc);
}

/* An active user of this name, to answer for a service account. */
static enum err find_owner(struct request *rq, const char *name, struct principal *out)
{
    enum err e = principal_find(rq->db, "user", name, out);

    rq->target = "owner";
    if (e == ERR_NOT_FOUND || (e == OK && strcmp(out->state, "active") != 0))
        return fail(rq, ERR_INVALID, "owner: there is no active user %s", name);
    rq->target = NULL;
    return e;
}

static enum err reply_principal(struct request *rq, const char *kind, const char *name)
{
    struct principal p;

    TRY(principal_find(rq->db, kind, name, &p));
    return request_reply(rq, principal_fields, &p);
}

static enum err insert(struct request *rq, struct principal *p)
{
    char id[ID_SIZE];
    enum err e;

    id_new(id);
    p->id = arena_text(rq->arena, id);
    e = principal_insert(rq->db, p, rq->caller.id);
    if (e == ERR_EXISTS) {
        rq->target = "name";
        return fail(rq, e, "there is a user or service account %s already", p->name);
    }
    TRY(e);
    request_status(rq, 201);
    return reply_principal(rq, p->kind, p->name);
}

/* POST /v1/users */
enum err post_user(struct request *rq)
{
    struct principal_body b = {.name = NULL};
    struct principal p = {.kind = "user"};

    TRY(request_read(rq, &b));
    request_object(rq, "users/%s", b.name);
    p.name = b.name;
    p.display_name = b.display_name;
    p.email = b.email;
    TRY(hash_password(rq, b.password, &p.password_hash));
    TRY(authority_fence(rq));
    return insert(rq, &p);
}

/* POST /v1/service-accounts */
enum err post_service_account(struct request *rq)
{
    struct principal_body b = {.name = NULL};
    struct principal p = {.kind = "service"};
    struct principal owner;

    TRY(request_read(rq, &b));
    request_object(rq, "service-accounts/%s", b.name);
    p.name = b.name;
    p.display_name = b.display_name;
    TRY(authority_fence(rq));
    p.owner_id = auth_answerable(rq, rq->caller.id);
    if (b.owner != NULL) {
        TRY(find_owner(rq, b.owner, &owner));
        p.owner_id = owner.id;
    }
    return insert(rq, &p);
}

static enum err list(struct request *rq, const char *kind)
{
    struct listing l;
    struct rows rows;

    if (!authority_anywhere(rq, USER_READ))
        return fail(rq, ERR_DENIED, "this needs %s", action_text(USER_READ));
    TRY(listing_read(rq, false, &l));
    TRY(principal_list(rq->db, kind, l.after, l.limit + 1, &rows));
    return listing_reply(rq, &l, principal_fields, sizeof(struct principal), &rows,
                         offsetof(struct principal, name));
}

/* GET /v1/users */
enum err get_users(struct request *rq)
{
    return list(rq, "user");
}

/* GET /v1/service-accounts */
enum err get_service_accounts(struct request *rq)
{
    return list(rq, "service");
}

/* Everybody sees themselves. */
static enum err show(struct request *rq, const char *kind)
{
    if (strcmp(rq->args[0], rq->caller.name) != 0 && !authority_anywhere(rq, USER_READ))
        return fail(rq, ERR_DENIED, "this needs %s", action_text(USER_READ));
    return reply_principal(rq, kind, rq->args[0]);
}

/* GET /v1/users/{user} */
enum err get_user(struct request *rq)
{
    return show(rq, "user");
}

/* GET /v1/service-accounts/{name} */
enum err get_service_account(struct request *rq)
{
    return show(rq, "service");
}

/* Whoever sets a password, wakes an account or becomes its owner could act in its place. */
static enum err check_takeover(struct request *rq, const struct principal *p, bool takeover)
{
    const struct session *s = session_of(rq);

    return takeover ? authority_covers(rq, policy_find_principal(s->policy, p->id)) : OK;
}

static bool wakes(const struct principal *p, const char *state)
{
    return state != NULL && strcmp(state, "active") == 0 && strcmp(p->state, "active") != 0;
}

/* Read the body and lock what it is to change. */
static enum err begin_change(struct request *rq, const char *kind, const char *path,
                             struct principal_body *b, struct principal *p)
{
    TRY(request_read(rq, b));
    request_object(rq, "%s/%s", path, rq->args[0]);
    TRY(hash_password(rq, b->password, &p->password_hash));
    b->password = p->password_hash;
    TRY(authority_fence(rq));
    TRY(principal_lock(rq->db, kind, rq->args[0], p));
    audit_before(rq, principal_fields, p);
    if (b->display_name != NULL)
        p->display_name = b->display_name;
    if (b->email != NULL)
        p->email = b->email;
    if (b->password != NULL)
        p->password_hash = b->password;
    return OK;
}

/* Whoever is woken again signs in again. */
static enum err end_change(struct request *rq, const struct principal_body *b, struct principal *p)
{
    bool disabled = b->state != NULL && strcmp(b->state, "disabled") == 0;

    if (b->state != NULL)
        p->state = b->state;
    TRY(principal_update(rq->db, p));
    if (b->password != NULL || disabled)
        TRY(principal_end_tokens(rq->db, p));
    if (disabled)
        TRY(login_session_end_all(rq->db, p->id, NULL, "its user was disabled"));
    TRY(authority_admin_remains(rq));
    return reply_principal(rq, p->kind, p->name);
}

/* PATCH /v1/users/{user} */
enum err patch_user(struct request *rq)
{
    struct principal_body b = {.name = NULL};
    struct principal p = {.password_hash = NULL};

    TRY(begin_change(rq, "user", "users", &b, &p));
    TRY(check_takeover(rq, &p, b.password != NULL || wakes(&p, b.state)));
    return end_change(rq, &b, &p);
}

/* PATCH /v1/service-accounts/{name} */
enum err patch_service_account(struct request *rq)
{
    struct principal_body b = {.name = NULL};
    struct principal p = {.password_hash = NULL};
    struct principal owner;

    TRY(begin_change(rq, "service", "service-accounts", &b, &p));
    TRY(check_takeover(rq, &p, b.owner != NULL || wakes(&p, b.state)));
    if (b.owner != NULL) {
        TRY(find_owner(rq, b.owner, &owner));
        p.owner_id = owner.id;
    }
    TRY(end_change(rq, &b, &p));
    return authority_result(rq);
}
