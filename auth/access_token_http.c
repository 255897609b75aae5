/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access_token.h"

#include "auth/access/authority.h"
#include "auth/auth.h"
#include "auth/handlers.h"
#include "auth/listing.h"
#include "auth/session.h"
#include "lineage/audit.h"

#include <string.h>

struct new_token {
    const char *name;
    int64_t expires_in;
    const char *service_account;
};

const struct field new_token_fields[] = {
    TEXT(struct new_token, name, 100),
    OPT_INT(struct new_token, expires_in, 1, ACCESS_TOKEN_MAX_S),
    OPT_NAME(struct new_token, service_account),
    FIELDS_END,
};

/* The one reply that shows the secret. */
struct made_token {
    const char *id;
    const char *name;
    const char *token;
    const char *principal;
    const char *expires_at;
};

static const struct field made_token_fields[] = {
    TEXT(struct made_token, id, 36),     TEXT(struct made_token, name, 100),
    TEXT(struct made_token, token, 100), NAME(struct made_token, principal),
    TIME(struct made_token, expires_at), FIELDS_END,
};

/* Only people who have signed in make tokens: a token that makes tokens would outlive its end. */
static enum err must_be_signed_in(struct request *rq)
{
    const struct session *s = session_of(rq);

    if (rq->caller.kind != PRINCIPAL_USER || s->claims.kind != TOKEN_ACCESS)
        return fail(rq, ERR_DENIED,
                    "tokens are made by users who have signed in, not by tokens "
                    "or service accounts");
    return OK;
}

/* The principal the token is for: the caller, a service account it answers for, or one in whose
 * place it may act. */
static enum err find_bearer(struct request *rq, const char *account, const char **id)
{
    const struct session *s = session_of(rq);
    uint32_t p = account == NULL ? s->principal : policy_find_principal_name(s->policy, account);
    const struct policy_principal *who = policy_principal(s->policy, p);

    if (account != NULL && (who == NULL || who->kind != PRINCIPAL_SERVICE)) {
        rq->target = "service_account";
        return fail(rq, ERR_INVALID, "service_account: there is no service account %s", account);
    }
    *id = who->id;
    if (account == NULL || strcmp(who->owner, rq->caller.id) == 0)
        return OK;
    if (!session_may(s, SERVICE_ACCOUNT_WRITE, SCOPE_AT_TENANT))
        return fail(rq, ERR_DENIED, "%s answers to another user", account);
    return authority_covers(rq, p);
}

static enum err reply_made(struct request *rq, const char *id, const char *text)
{
    struct access_token t;

    TRY(access_token_find(rq->db, id, &t));
    request_status(rq, 201);
    request_set_header(rq, "Cache-Control", "no-store");
    return request_reply(rq, made_token_fields,
                         &(struct made_token){t.id, t.name, text, t.principal, t.expires_at});
}

/* POST /v1/tokens */
enum err post_token(struct request *rq)
{
    struct new_token n = {.expires_in = ACCESS_TOKEN_S};
    struct access_token t = {.name = NULL};
    char id[ID_SIZE];
    struct digest hash;
    const char *text;

    TRY(request_read(rq, &n));
    TRY(must_be_signed_in(rq));
    TRY(authority_fence(rq));
    TRY(find_bearer(rq, n.service_account, &t.principal_id));
    id_new(id);
    request_object(rq, "tokens/%s", id);
    text = access_token_make(rq->arena, id, &hash);
    t.id = id;
    t.name = n.name;
    TRY(access_token_insert(rq->db, &t, &hash, n.expires_in, rq->caller.id));
    return reply_made(rq, id, text);
}

/* GET /v1/tokens */
enum err get_tokens(struct request *rq)
{
    struct listing l;
    struct rows rows;

    TRY(listing_read(rq, true, &l));
    TRY(access_token_list(rq->db, rq->caller.id, l.after, l.limit + 1, &rows));
    return listing_reply(rq, &l, access_token_fields, sizeof(struct access_token), &rows,
                         offsetof(struct access_token, id));
}

/* DELETE /v1/tokens/{token} */
enum err delete_token(struct request *rq)
{
    struct access_token t;
    const char *answerable;
    bool own;

    TRY(access_token_find(rq->db, rq->args[0], &t));
    request_object(rq, "tokens/%s", t.id);
    answerable = auth_answerable(rq, t.principal_id);
    own = strcmp(t.principal_id, rq->caller.id) == 0 ||
          (answerable != NULL && strcmp(answerable, rq->caller.id) == 0);
    if (!own && !auth_may(rq, USER_WRITE, NULL))
        return ERR_NOT_FOUND;
    audit_before(rq, access_token_fields, &t);
    if (!t.revoked)
        TRY(access_token_revoke(rq->db, t.id));
    return request_reply_empty(rq);
}
