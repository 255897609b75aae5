/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/oauth/grant.h"

#include "auth/session.h"

#include <string.h>

enum { VERIFIER_MIN = 43, VERIFIER_MAX = 128 };

struct code {
    struct db *db;
    const char *id;
    const char *hash;
    const char *client_id;
    const char *parent_id;
    const char *redirect_uri;
    const char *challenge;
    const char *nonce;
    const char *scope;
    const char *session_id;
    bool expired;
    struct login_session parent;
    const struct oauth_client *client;
    struct login_session session;
    const char *refresh;
};

static const struct field columns[] = {
    TEXT(struct code, hash, 64),      TEXT(struct code, client_id, 36),
    TEXT(struct code, parent_id, 36), TEXT(struct code, redirect_uri, 1000),
    TEXT(struct code, challenge, 43), OPT_TEXT(struct code, nonce, 1000),
    TEXT(struct code, scope, 1000),   OPT_TEXT(struct code, session_id, 36),
    BOOL(struct code, expired),       FIELDS_END,
};

QUERY(code_sweep_sql, "DELETE FROM authorization_code WHERE tenant_id = current_tenant()"
                      " AND client_id = $1::uuid AND expires_at < now() - interval '1 day'");
QUERY(code_insert_sql,
      "INSERT INTO authorization_code (tenant_id, id, hash, client_id, parent_id, redirect_uri,"
      " challenge, nonce, scope, expires_at) VALUES (current_tenant(), $1::uuid, $2, $3::uuid,"
      " $4::uuid, $5, $6, $7, $8, now() + interval '60 seconds')");

enum err code_insert(struct db *db, const struct opaque *code, const struct oauth_client *c,
                     const struct authorization *a)
{
    TRY(db_run(db, &code_sweep_sql, NULL, PARAMS(P_TEXT(c->id))));
    return db_change(db, &code_insert_sql,
                     PARAMS(P_TEXT(code->id), P_BYTES(code->hash.bytes, SHA256_SIZE), P_TEXT(c->id),
                            P_TEXT(a->session_id), P_TEXT(a->redirect_uri), P_TEXT(a->challenge),
                            P_TEXT(a->nonce), P_TEXT(a->scope)));
}

QUERY(code_find_sql, "SELECT hash, client_id, parent_id, redirect_uri, challenge, nonce, scope,"
                     " session_id, expires_at < now() AS expired FROM authorization_code"
                     " WHERE tenant_id = current_tenant() AND id = $1::uuid");

static enum err find(void *arg)
{
    struct code *k = arg;

    return db_one(k->db, &code_find_sql, columns, k, PARAMS(P_TEXT(k->id)));
}

static enum err find_parent(void *arg)
{
    struct code *k = arg;

    return login_session_find(k->db, k->parent_id, &k->parent);
}

/* RFC 7636 §4.6, S256 alone. */
static enum err check_verifier(struct request *rq, const struct form *f, const struct code *k)
{
    const char *verifier = form_get(f, "code_verifier");
    struct digest d;

    if (verifier == NULL)
        return oauth_fail(rq, ERR_INVALID, "invalid_grant", "code_verifier is missing");
    if (strlen(verifier) < VERIFIER_MIN || strlen(verifier) > VERIFIER_MAX)
        return grant_invalid(rq, "code_verifier", "must have 43 to 128 characters");
    d = sha256_of(verifier, strlen(verifier));
    if (strcmp(base64url_encode(rq->arena, d.bytes, SHA256_SIZE), k->challenge) != 0)
        return grant_invalid(rq, "code_verifier", "is not that of the challenge");
    return OK;
}

static enum err reused(struct request *rq, const struct oauth_client *c, const char *session_id)
{
    TRY(grant_end_session(rq, c->tenant_id, session_id, "its code was used twice"));
    return grant_invalid(rq, "code", "has been used already; what it gave is revoked");
}

static enum err check(struct request *rq, const struct form *f, struct code *k,
                      const struct opaque *handle)
{
    const char *redirect_uri = form_get(f, "redirect_uri");
    struct digest kept;

    if (!hex_decode(k->hash, kept.bytes, SHA256_SIZE) || !digest_equal(&kept, &handle->hash))
        return grant_invalid(rq, "code", "is unknown");
    if (k->client_id == NULL || strcmp(k->client_id, k->client->id) != 0)
        return grant_invalid(rq, "code", "was given to another client");
    if (k->session_id != NULL)
        return reused(rq, k->client, k->session_id);
    if (k->expired)
        return grant_invalid(rq, "code", "has expired");
    if (redirect_uri == NULL || strcmp(redirect_uri, k->redirect_uri) != 0)
        return grant_invalid(rq, "redirect_uri", "is not the one the code was sent to");
    return check_verifier(rq, f, k);
}

/* Whoever comes second finds the code spent, and then both lose. */
QUERY(code_spend_sql, "UPDATE authorization_code SET session_id = $2::uuid"
                      " WHERE tenant_id = current_tenant() AND id = $1::uuid"
                      " AND session_id IS NULL AND expires_at > now()");

static enum err spend(struct request *rq)
{
    struct code *k = rq->work;

    request_object(rq, "users/%s", rq->caller.name);
    request_audit(rq, "client", json_string(k->client->client_id));
    TRY(grant_begin(rq, k->client, &k->parent, k->scope, &k->session, &k->refresh));
    return db_change(rq->db, &code_spend_sql, PARAMS(P_TEXT(k->id), P_TEXT(k->session.id)));
}

static enum err open_code(struct request *rq, const struct form *f, struct code *k,
                          struct opaque *handle)
{
    const char *text = form_get(f, "code");
    enum err e;

    if (text == NULL)
        return fail(rq, ERR_INVALID, "code is missing");
    if (!opaque_parse(CODE_PREFIX, text, handle) ||
        strcmp(handle->tenant_id, k->client->tenant_id) != 0)
        return grant_invalid(rq, "code", "is unknown");
    k->id = handle->id;
    e = db_tx(rq->db, TX_POINT, k->client->tenant_id, find, k);
    if (e == ERR_NOT_FOUND)
        return grant_invalid(rq, "code", "is unknown");
    return e;
}

enum err grant_code(struct request *rq, const struct form *f, const struct oauth_client *c)
{
    struct code k = {.db = rq->db, .client = c};
    struct opaque handle;
    enum err e;

    TRY(open_code(rq, f, &k, &handle));
    TRY(check(rq, f, &k, &handle));
    e = db_tx(rq->db, TX_POINT, c->tenant_id, find_parent, &k);
    if (e == OK)
        e = login_session_enter(rq, c->tenant_id, k.parent.principal_id, k.parent.id);
    if (e == ERR_NOT_FOUND || e == ERR_TOKEN)
        return grant_invalid(rq, "code", "is of somebody who has signed out or is disabled");
    TRY(e);
    rq->work = &k;
    e = request_tx(rq, spend);
    if (e == ERR_NOT_FOUND) {
        TRY(db_tx(rq->db, TX_POINT, c->tenant_id, find, &k));
        return k.session_id == NULL ? grant_invalid(rq, "code", "has expired")
                                    : reused(rq, c, k.session_id);
    }
    TRY(e);
    return grant_reply(rq, &(struct issue){c, &k.session, k.scope, k.refresh, k.nonce});
}
