/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/oauth/device.h"

#include "auth/access_jwt.h"
#include "auth/handlers.h"
#include "auth/session.h"

#include <stdio.h>
#include <string.h>

enum { WAITING_MAX = 50, WAIT_LONGEST_S = 60 };

struct asking {
    struct request *rq;
    struct opaque handle;
    struct device device;
    int64_t waiting;
};

static enum err insert(void *arg)
{
    struct asking *k = arg;
    struct db *db = k->rq->db;

    TRY(device_waiting(db, k->device.remote, &k->waiting));
    return k->waiting >= WAITING_MAX ? ERR_RATE : device_insert(db, &k->handle, &k->device);
}

/* POST /oauth2/device_authorization */
enum err post_device_authorization(struct request *rq)
{
    struct asking k = {.rq = rq};
    struct oauth_client c;
    struct form f;
    char code[USER_CODE + 1];
    const char *uri = arena_printf(rq->arena, "%s/device", access_jwt_issuer());
    const char *shown;
    enum err e;

    TRY(form_body(rq, &f));
    TRY(oauth_client_identify(rq, &f, &c));
    if (!oauth_client_may(&c, GRANT_DEVICE))
        return oauth_fail(rq, ERR_INVALID, "unauthorized_client",
                          "client_id: the client was not given this grant");
    TRY(grant_scope(rq, &f, &k.device.scope));
    user_code_make(code);
    k.device.user_code = code;
    k.device.client_id = c.id;
    k.device.remote = rq->remote;
    k.device.scope = k.device.scope == NULL ? "" : k.device.scope;
    opaque_make(rq->arena, DEVICE_PREFIX, c.tenant_id, &k.handle);
    e = db_tx(rq->db, TX_WRITE, c.tenant_id, insert, &k);
    if (e == ERR_RATE)
        return fail(rq, e, "too many devices wait for an answer");
    TRY(e);
    shown = arena_printf(rq->arena, "%.4s-%s", code, code + 4);
    request_set_header(rq, "Cache-Control", "no-store");
    return request_reply_json(rq, json_pack("{s:s,s:s,s:s,s:s,s:i,s:i}", "device_code",
                                            k.handle.text, "user_code", shown, "verification_uri",
                                            uri, "verification_uri_complete",
                                            arena_printf(rq->arena, "%s?user_code=%s", uri, shown),
                                            "expires_in", DEVICE_S, "interval", DEVICE_WAIT_S));
}

struct polling {
    struct db *db;
    const struct oauth_client *client;
    const char *id;
    struct device device;
    int64_t wait_seconds;
    struct login_session parent;
    struct login_session session;
    const char *refresh;
};

static enum err poll(void *arg)
{
    struct polling *p = arg;

    TRY(device_find(p->db, p->id, &p->device));
    p->wait_seconds = p->device.wait_seconds;
    /* RFC 8628 §3.5: five seconds more each time; a second of grace for the network. */
    if (p->device.polled_ms >= 0 && p->device.polled_ms < p->device.wait_seconds * 1000 - 1000 &&
        p->wait_seconds < WAIT_LONGEST_S)
        p->wait_seconds += DEVICE_WAIT_S;
    return device_polled(p->db, p->id, p->wait_seconds);
}

static enum err find_parent(void *arg)
{
    struct polling *p = arg;

    return login_session_find(p->db, p->device.parent_id, &p->parent);
}

static enum err spend(struct request *rq)
{
    struct polling *p = rq->work;

    request_object(rq, "users/%s", rq->caller.name);
    request_audit(rq, "client", json_string(p->client->client_id));
    TRY(device_spend(rq->db, p->id));
    return grant_begin(rq, p->client, &p->parent, p->device.scope, &p->session, &p->refresh);
}

static enum err not_yet(struct request *rq, const struct polling *p)
{
    const struct device *d = &p->device;

    if (d->expired)
        return oauth_fail(rq, ERR_INVALID, "expired_token", "device_code has expired");
    if (strcmp(d->state, "denied") == 0)
        return oauth_fail(rq, ERR_INVALID, "access_denied", "the person refused");
    if (strcmp(d->state, "spent") == 0)
        return grant_invalid(rq, "device_code", "has been used already");
    if (p->wait_seconds > d->wait_seconds)
        return oauth_fail(rq, ERR_INVALID, "slow_down", "ask every %lld seconds from now on",
                          (long long)p->wait_seconds);
    if (strcmp(d->state, "waiting") == 0)
        return oauth_fail(rq, ERR_INVALID, "authorization_pending", "nobody has said yes so far");
    return OK;
}

static enum err open_device(struct request *rq, const struct form *f, struct polling *p)
{
    const char *text = form_get(f, "device_code");
    struct opaque handle;
    struct digest kept;
    enum err e;

    if (text == NULL)
        return fail(rq, ERR_INVALID, "device_code is missing");
    if (!opaque_parse(DEVICE_PREFIX, text, &handle) ||
        strcmp(handle.tenant_id, p->client->tenant_id) != 0)
        return grant_invalid(rq, "device_code", "is unknown");
    p->id = arena_text(rq->arena, handle.id);
    e = db_tx(rq->db, TX_WRITE, p->client->tenant_id, poll, p);
    if (e == ERR_NOT_FOUND || (e == OK && (!hex_decode(p->device.hash, kept.bytes, SHA256_SIZE) ||
                                           !digest_equal(&kept, &handle.hash) ||
                                           strcmp(p->device.client_id, p->client->id) != 0)))
        return grant_invalid(rq, "device_code", "is unknown");
    TRY(e);
    return not_yet(rq, p);
}

enum err grant_device(struct request *rq, const struct form *f, const struct oauth_client *c)
{
    struct polling p = {.db = rq->db, .client = c};
    enum err e;

    TRY(open_device(rq, f, &p));
    e = db_tx(rq->db, TX_POINT, c->tenant_id, find_parent, &p);
    if (e == OK)
        e = login_session_enter(rq, c->tenant_id, p.parent.principal_id, p.parent.id);
    if (e == ERR_NOT_FOUND || e == ERR_TOKEN)
        return grant_invalid(rq, "device_code", "is of somebody who has signed out or is disabled");
    TRY(e);
    rq->work = &p;
    e = request_tx(rq, spend);
    if (e == ERR_NOT_FOUND)
        return grant_invalid(rq, "device_code", "has been used already");
    TRY(e);
    return grant_reply(rq, &(struct issue){c, &p.session, p.device.scope, p.refresh, NULL});
}
