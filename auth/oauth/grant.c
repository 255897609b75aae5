/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/oauth/grant.h"

#include "auth/access/snapshot.h"
#include "auth/access_jwt.h"
#include "auth/jwt.h"
#include "auth/keys/key.h"
#include "auth/oauth/scope.h"
#include "auth/session.h"

#include <string.h>

enum { ID_TOKEN_S = 600 };

enum err grant_invalid(struct request *rq, const char *parameter, const char *why)
{
    return oauth_fail(rq, ERR_INVALID, "invalid_grant", "%s %s", parameter, why);
}

enum err grant_scope(struct request *rq, const struct form *f, const char **scope)
{
    *scope = form_get(f, "scope");
    if (!scope_valid(*scope))
        return oauth_fail(rq, ERR_INVALID, "invalid_scope",
                          "scope has a word that is neither openid, profile, email, "
                          "offline_access, chancery nor an action");
    return OK;
}

struct ending {
    struct db *db;
    const char *id;
    const char *why;
};

static enum err end(void *arg)
{
    const struct ending *e = arg;

    return login_session_end(e->db, e->id, e->why);
}

enum err grant_end_session(struct request *rq, const char *tenant_id, const char *id,
                           const char *why)
{
    struct ending e = {.db = rq->db, .id = id, .why = why};
    struct policy *newest = NULL;

    TRY(db_tx(rq->db, TX_WRITE, tenant_id, end, &e));
    if (snapshot_renew(rq->db, tenant_id, &newest) != OK)
        snapshot_forget(tenant_id);
    policy_drop(newest);
    return OK;
}

QUERY(refresh_first_sql, "INSERT INTO refresh_token (tenant_id, id, session_id, hash)"
                         " VALUES (current_tenant(), $1::uuid, $2::uuid, $3)");

enum err grant_begin(struct request *rq, const struct oauth_client *c,
                     const struct login_session *parent, const char *scope,
                     struct login_session *out, const char **refresh)
{
    bool lasting = oauth_client_may(c, GRANT_REFRESH);
    struct opaque token;
    char id[ID_SIZE];

    id_new(id);
    *out = *parent;
    out->id = arena_text(rq->arena, id);
    out->kind = "client";
    out->parent_id = parent->id;
    out->client_id = c->id;
    out->scope = scope;
    out->remote = rq->remote;
    TRY(login_session_insert(rq->db, out, NULL, lasting ? FAMILY_S : BROWSER_S));
    out->expires_ms = time_now_ms() + (int64_t)(lasting ? FAMILY_S : BROWSER_S) * 1000;
    *refresh = NULL;
    if (!lasting)
        return OK;
    id_new(id);
    opaque_derive(rq->arena, REFRESH_PREFIX, rq->caller.tenant_id, id, &token);
    *refresh = token.text;
    return db_change(
        rq->db, &refresh_first_sql,
        PARAMS(P_TEXT(token.id), P_TEXT(out->id), P_BYTES(token.hash.bytes, SHA256_SIZE)));
}

struct person {
    const char *display_name;
    const char *email;
};
static const struct field person_columns[] = {OPT_TEXT(struct person, display_name, 200),
                                              OPT_TEXT(struct person, email, 254), FIELDS_END};
QUERY(grant_person_sql, "SELECT display_name, email FROM principal"
                        " WHERE tenant_id = current_tenant() AND id = $1::uuid");

struct person_look {
    struct db *db;
    const char *id;
    struct person out;
};

static enum err find_person(void *arg)
{
    struct person_look *l = arg;

    return db_one(l->db, &grant_person_sql, person_columns, &l->out, PARAMS(P_TEXT(l->id)));
}

enum err grant_person(struct request *rq, const char *scope, json_t *claims)
{
    struct person_look l = {.db = rq->db, .id = rq->caller.id};

    TRY(db_tx(rq->db, TX_POINT, rq->caller.tenant_id, find_person, &l));
    if (scope == NULL || scope_has(scope, "profile")) {
        json_object_set_new(claims, "preferred_username", json_string(rq->caller.name));
        json_object_set_new(
            claims, "name",
            json_string(l.out.display_name == NULL ? rq->caller.name : l.out.display_name));
    }
    if ((scope == NULL || scope_has(scope, "email")) && l.out.email != NULL) {
        json_object_set_new(claims, "email", json_string(l.out.email));
        json_object_set_new(claims, "email_verified", json_false());
    }
    return OK;
}

static enum err id_token(struct request *rq, const struct issue *i, const struct bearer *b,
                         const char **out)
{
    int64_t now = time_now_ms() / 1000;
    char kid[KID_SIZE];
    EVP_PKEY *key;
    enum err e;
    json_t *claims =
        json_pack("{s:s,s:s,s:s,s:s,s:s,s:I,s:I,s:s*}", "iss", access_jwt_issuer(), "sub", b->id,
                  "aud", i->client->client_id, "azp", i->client->client_id, "sid", i->session->id,
                  "iat", (json_int_t)now, "exp", (json_int_t)now + ID_TOKEN_S, "nonce", i->nonce);

    access_jwt_add_sign_in(claims, b);
    e = grant_person(rq, i->scope, claims);
    if (e == OK)
        e = keys_signer(rq->db, &key, kid);
    if (e != OK) {
        json_decref(claims);
        return e;
    }
    e = jwt_mint(rq->arena, key, kid, "JWT", claims, out);
    EVP_PKEY_free(key);
    return e;
}

enum err grant_reply(struct request *rq, const struct issue *i)
{
    const struct bearer b = {.tenant_id = rq->caller.tenant_id,
                             .tenant = rq->caller.tenant,
                             .id = rq->caller.id,
                             .name = rq->caller.name,
                             .kind = rq->caller.kind == PRINCIPAL_USER ? "user" : "service",
                             .expires_ms = i->session->expires_ms,
                             .session_id = i->session->id,
                             .client_id = i->client->client_id,
                             .scope = i->scope,
                             .auth_ms = i->session->auth_ms,
                             .mfa_ms = i->session->mfa_ms,
                             .amr = i->session->amr};
    const char *id = NULL;

    if (scope_has(i->scope, "openid"))
        TRY(id_token(rq, i, &b, &id));
    request_set_header(rq, "Pragma", "no-cache");
    return sign_in_reply(rq, &b,
                         json_pack("{s:s,s:s*,s:s*}", "scope", i->scope, "refresh_token",
                                   i->refresh, "id_token", id));
}
