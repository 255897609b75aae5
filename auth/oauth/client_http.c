/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/oauth/client.h"

#include "auth/access/authority.h"
#include "auth/auth.h"
#include "auth/handlers.h"
#include "auth/listing.h"
#include "auth/session.h"
#include "lineage/audit.h"

#include <string.h>

enum { URIS_MAX = 20, URI_MAX = 1000, KEYS_MAX = 10 };

static const char *const kinds[] = {"public", "confidential", NULL};
static const char *const grants_known[] = {GRANT_CODE,   GRANT_REFRESH,  GRANT_CLIENT,
                                           GRANT_DEVICE, GRANT_EXCHANGE, NULL};

const struct field new_oauth_client_fields[] = {
    NAME(struct oauth_client, name),
    OPT_TEXT(struct oauth_client, display_name, 200),
    CHOICE(struct oauth_client, kind, kinds),
    OPT_TEXTS(struct oauth_client, redirect_uris, URIS_MAX),
    OPT_TEXTS(struct oauth_client, logout_uris, URIS_MAX),
    OPT_TEXTS(struct oauth_client, grants, 5),
    OPT_NAME(struct oauth_client, service_account),
    OPT_OBJECT(struct oauth_client, jwks),
    OPT_BOOL(struct oauth_client, third_party),
    FIELDS_END,
};

static enum err wrong(struct request *rq, const char *member, const char *why)
{
    rq->target = member;
    return fail(rq, ERR_INVALID, "%s: %s", member, why);
}

static bool in_list(const char *const *list, const char *text)
{
    for (; *list != NULL; list++)
        if (strcmp(*list, text) == 0)
            return true;
    return false;
}

static enum err check_uris(struct request *rq, const char *member, const struct texts *uris)
{
    for (size_t i = 0; i < uris->count; i++)
        if (strlen(uris->items[i]) > URI_MAX || !redirect_uri_valid(uris->items[i]))
            return wrong(rq, member,
                         "each is https, http on 127.0.0.1 or [::1], or a private scheme with a "
                         "dot in it; none has a fragment, blanks or a user");
    return OK;
}

static enum err check_grants(struct request *rq, const struct oauth_client *c)
{
    bool public = strcmp(c->kind, "public") == 0;

    for (size_t i = 0; i < c->grants.count; i++)
        if (!in_list(grants_known, c->grants.items[i]))
            return wrong(rq, "grants", "there is no such grant");
    if (public && oauth_client_may(c, GRANT_CLIENT))
        return wrong(rq, "grants", "a public client has no credentials for client_credentials");
    if (oauth_client_may(c, GRANT_CODE) != (c->redirect_uris.count > 0))
        return wrong(rq, "redirect_uris", "authorization_code needs them, and only that does");
    if (c->grants.count == 0)
        return wrong(rq, "grants", "a client asks for tokens by one grant at least");
    return OK;
}

/* RFC 8725 §3.5: public keys only, P-256, each with an id. */
static enum err check_jwks(struct request *rq, const json_t *jwks)
{
    const json_t *keys = json_object_get(jwks, "keys");
    size_t i;
    json_t *key;

    if (jwks == NULL)
        return OK;
    if (!json_is_array(keys) || json_array_size(keys) == 0 || json_array_size(keys) > KEYS_MAX)
        return wrong(rq, "jwks", "is {\"keys\": […]} with one to ten keys");
    json_array_foreach(keys, i, key)
    {
        const char *type = json_string_value(json_object_get(key, "kty"));
        const char *curve = json_string_value(json_object_get(key, "crv"));

        if (json_object_get(key, "d") != NULL)
            return wrong(rq, "jwks", "has a private key; it is no secret any more");
        if (type == NULL || curve == NULL || strcmp(type, "EC") != 0 || strcmp(curve, "P-256") != 0)
            return wrong(rq, "jwks", "each key is EC, P-256 (ES256)");
    }
    return OK;
}

/* Whoever gives a client an account gives it all that the account may. */
static enum err find_account(struct request *rq, struct oauth_client *c)
{
    const struct session *s = session_of(rq);
    const struct policy_principal *who;
    uint32_t p;

    if (strcmp(c->kind, "public") == 0 && (c->service_account != NULL || c->jwks != NULL))
        return wrong(rq, c->jwks != NULL ? "jwks" : "service_account",
                     "is for confidential clients");
    if (strcmp(c->kind, "public") == 0)
        return OK;
    if (c->service_account == NULL)
        return wrong(rq, "service_account", "is missing: a confidential client acts as one");
    p = policy_find_principal_name(s->policy, c->service_account);
    who = policy_principal(s->policy, p);
    if (who == NULL || who->kind != PRINCIPAL_SERVICE)
        return wrong(rq, "service_account", "there is no such service account");
    c->account_id = who->id;
    return strcmp(who->owner, rq->caller.id) == 0 && !s->claims.limited ? OK
                                                                        : authority_covers(rq, p);
}

static enum err reply_client(struct request *rq, const char *name)
{
    struct oauth_client c;

    TRY(oauth_client_find(rq->db, name, &c));
    return request_reply(rq, oauth_client_fields, &c);
}

/* POST /v1/oauth/clients */
enum err post_oauth_client(struct request *rq)
{
    struct oauth_client c = {.display_name = ""};
    char id[ID_SIZE];
    enum err e;

    TRY(request_read(rq, &c));
    request_object(rq, "oauth/clients/%s", c.name);
    TRY(check_uris(rq, "redirect_uris", &c.redirect_uris));
    TRY(check_uris(rq, "logout_uris", &c.logout_uris));
    TRY(check_grants(rq, &c));
    TRY(check_jwks(rq, c.jwks));
    TRY(authority_fence(rq));
    TRY(find_account(rq, &c));
    id_new(id);
    c.id = id;
    e = oauth_client_insert(rq->db, &c, rq->caller.id);
    if (e == ERR_EXISTS)
        return fail(rq, e, "there is a client %s already", c.name);
    TRY(e);
    request_status(rq, 201);
    return reply_client(rq, c.name);
}

/* GET /v1/oauth/clients */
enum err get_oauth_clients(struct request *rq)
{
    struct listing l;
    struct rows rows;

    TRY(listing_read(rq, false, &l));
    TRY(oauth_client_list(rq->db, l.after, l.limit + 1, &rows));
    return listing_reply(rq, &l, oauth_client_fields, sizeof(struct oauth_client), &rows,
                         offsetof(struct oauth_client, name));
}

/* GET /v1/oauth/clients/{client} */
enum err get_oauth_client(struct request *rq)
{
    return reply_client(rq, rq->args[0]);
}

/* DELETE /v1/oauth/clients/{client}: its sessions end with it. */
enum err delete_oauth_client(struct request *rq)
{
    struct oauth_client c;

    request_object(rq, "oauth/clients/%s", rq->args[0]);
    TRY(oauth_client_find(rq->db, rq->args[0], &c));
    audit_before(rq, oauth_client_fields, &c);
    TRY(oauth_client_delete(rq->db, rq->args[0]));
    return request_reply_empty(rq);
}
