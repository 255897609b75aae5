/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/oauth/grant.h"

#include "auth/access_jwt.h"
#include "auth/auth.h"
#include "auth/handlers.h"
#include "auth/jwt.h"
#include "auth/session.h"

#include <string.h>

/* A token somebody asks about. */
struct asked {
    struct db *db;
    const struct oauth_client *client;
    const char *text;
    const char *id; /* of a refresh token */
    const char *hash;
    const char *session_id;
    const char *client_row; /* the row id of the session's client; NULL for none */
    struct login_session session;
    const json_t *claims; /* of an access token */
};

static const struct field columns[] = {
    TEXT(struct asked, hash, 64),
    TEXT(struct asked, session_id, 36),
    FIELDS_END,
};
QUERY(introspect_refresh_sql, "SELECT hash, session_id FROM refresh_token WHERE tenant_id ="
                              " current_tenant() AND id = $1::uuid");

static enum err find_session(void *arg)
{
    struct asked *k = arg;

    TRY(login_session_find(k->db, k->session_id, &k->session));
    k->client_row = k->session.client_id;
    return OK;
}

static enum err find_refresh(void *arg)
{
    struct asked *k = arg;

    TRY(db_one(k->db, &introspect_refresh_sql, columns, k, PARAMS(P_TEXT(k->id))));
    return find_session(arg);
}

static enum err open_refresh(struct asked *k)
{
    struct opaque handle;
    struct digest kept;

    if (!opaque_parse(REFRESH_PREFIX, k->text, &handle) ||
        strcmp(handle.tenant_id, k->client->tenant_id) != 0)
        return ERR_NOT_FOUND;
    k->id = handle.id;
    TRY(db_tx(k->db, TX_POINT, k->client->tenant_id, find_refresh, k));
    return hex_decode(k->hash, kept.bytes, SHA256_SIZE) && digest_equal(&kept, &handle.hash)
               ? OK
               : ERR_NOT_FOUND;
}

static enum err open_access(struct asked *k)
{
    struct claims claims;
    struct jwt_parts parts;
    const char *why = "";

    if (access_jwt_open(k->db, k->text, &claims, &why) != OK ||
        strcmp(claims.tenant_id, k->client->tenant_id) != 0 ||
        jwt_unpack(k->db->arena, k->text, strlen(k->text), &parts, &why) != OK)
        return ERR_NOT_FOUND;
    k->claims = parts.claims;
    k->session.principal_id = arena_text(k->db->arena, claims.principal);
    if (claims.session[0] == '\0')
        return OK;
    k->session_id = arena_text(k->db->arena, claims.session);
    return db_tx(k->db, TX_POINT, k->client->tenant_id, find_session, k);
}

/* ERR_NOT_FOUND for whatever is no live token of the client's tenant. */
static enum err open_asked(struct request *rq, const struct form *f, struct asked *k)
{
    bool refresh;

    k->db = rq->db;
    k->text = form_get(f, "token");
    if (k->text == NULL)
        return fail(rq, ERR_INVALID, "token is missing");
    refresh = strncmp(k->text, REFRESH_PREFIX, strlen(REFRESH_PREFIX)) == 0;
    return refresh ? open_refresh(k) : open_access(k);
}

static const char *jti_of(const json_t *claims)
{
    return json_string_value(json_object_get(claims, "jti"));
}

static json_t *describe(struct request *rq, const struct asked *k)
{
    static const char *const names[] = {"iss",   "aud",       "sub", "exp", "iat", "jti",
                                        "scope", "client_id", "sid", "acr", "amr", "auth_time"};
    json_t *json = json_pack("{s:b,s:s}", "active", 1, "username", rq->caller.name);

    if (k->claims == NULL) {
        json_object_set_new(json, "sub", json_string(k->session.principal_id));
        json_object_set_new(json, "scope", json_string(k->session.scope));
        json_object_set_new(json, "sid", json_string(k->session.id));
        json_object_set_new(json, "exp", json_integer(k->session.expires_ms / 1000));
        json_object_set_new(json, "iss", json_string(access_jwt_issuer()));
        return json;
    }
    json_object_set_new(json, "token_type", json_string("Bearer"));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (json_object_get(k->claims, names[i]) != NULL)
            json_object_set(json, names[i], json_object_get(k->claims, names[i]));
    return json;
}

/* POST /oauth2/introspect (RFC 7662): of the client's own tenant, and nothing of any other. */
enum err post_oauth_introspect(struct request *rq)
{
    struct oauth_client c;
    struct form f;
    struct asked k = {.client = &c};
    enum err e;

    TRY(form_body(rq, &f));
    TRY(oauth_client_identify(rq, &f, &c));
    if (strcmp(c.kind, "confidential") != 0)
        return fail(rq, ERR_CREDENTIALS, "introspection is for confidential clients");
    e = open_asked(rq, &f, &k);
    if (e == OK)
        e = login_session_enter(rq, c.tenant_id, k.session.principal_id,
                                k.claims == NULL ? k.session.id : jti_of(k.claims));
    request_set_header(rq, "Cache-Control", "no-store");
    if (e == ERR_NOT_FOUND || e == ERR_TOKEN)
        return request_reply_json(rq, json_pack("{s:b}", "active", 0));
    TRY(e);
    return request_reply_json(rq, describe(rq, &k));
}

static enum err end(struct request *rq)
{
    const struct asked *k = rq->work;

    request_object(rq, "users/%s", rq->caller.name);
    return login_session_end(rq->db, k->session_id, "its client gave it back");
}

/* POST /oauth2/revoke (RFC 7009): ends the whole session of the token, if it is the client's. */
enum err post_oauth_revoke(struct request *rq)
{
    struct oauth_client c;
    struct form f;
    struct asked k = {.client = &c};
    enum err e;

    TRY(form_body(rq, &f));
    TRY(oauth_client_identify(rq, &f, &c));
    e = open_asked(rq, &f, &k);
    if (e == OK && (k.client_row == NULL || c.id == NULL || strcmp(k.client_row, c.id) != 0))
        e = ERR_NOT_FOUND;
    if (e == OK)
        e = login_session_enter(rq, c.tenant_id, k.session.principal_id,
                                k.claims == NULL ? k.session.id : jti_of(k.claims));
    if (e == OK) {
        rq->work = &k;
        e = request_tx(rq, end);
    }
    if (e != OK && e != ERR_NOT_FOUND && e != ERR_TOKEN)
        return e;
    request_set_header(rq, "Cache-Control", "no-store");
    request_status(rq, 200);
    return request_reply_json(rq, json_object());
}

/* GET /oauth2/userinfo (OpenID Connect Core §5.3 and §5.4): a client learns what it was given the
 * scopes for; a person asks with a token that has none. */
enum err get_userinfo(struct request *rq)
{
    const struct claims *c = &session_of(rq)->claims;
    unsigned tells = c->kind == TOKEN_ACCESS ? c->tells : TELLS_ALL;
    json_t *json;
    enum err e;

    if ((tells & TELLS_SUBJECT) == 0)
        return oauth_fail(rq, ERR_DENIED, "insufficient_scope", "the token lacks scope openid");
    json = json_pack("{s:s}", "sub", rq->caller.id);
    e = grant_person(rq,
                     arena_printf(rq->arena, "%s %s", (tells & TELLS_PROFILE) != 0 ? "profile" : "",
                                  (tells & TELLS_EMAIL) != 0 ? "email" : ""),
                     json);
    if (e != OK) {
        json_decref(json);
        return e;
    }
    request_set_header(rq, "Cache-Control", "no-store");
    return request_reply_json(rq, json);
}
