/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/oauth/grant.h"

#include "auth/oauth/scope.h"
#include "auth/session.h"

#include <string.h>

/* RFC 9700 §4.14.2 with room for retries: within the grace the same successor comes again. */
enum { GRACE_MS = 20000 };

struct refresh {
    struct db *db;
    const struct oauth_client *client;
    const char *id;
    const char *hash;
    const char *session_id;
    const char *successor_id;
    int64_t used_ms; /* since its use; -1 for unused */
    struct login_session session;
    const char *next;
    bool reused;
};

static const struct field columns[] = {
    TEXT(struct refresh, hash, 64),
    TEXT(struct refresh, session_id, 36),
    OPT_TEXT(struct refresh, successor_id, 36),
    INT(struct refresh, used_ms, -1, INT64_MAX),
    FIELDS_END,
};

#define REFRESH_SELECT                                                                             \
    "SELECT hash, session_id, successor_id,"                                                       \
    " CASE WHEN used_at IS NULL THEN -1 ELSE"                                                      \
    " greatest((extract(epoch FROM clock_timestamp() - used_at) * 1000)::bigint, 0) END"           \
    " AS used_ms FROM refresh_token WHERE tenant_id = current_tenant() AND id = $1::uuid"

QUERY(refresh_find_sql, REFRESH_SELECT);
QUERY(refresh_lock_sql, REFRESH_SELECT " FOR UPDATE");

static enum err find(void *arg)
{
    struct refresh *r = arg;

    TRY(db_one(r->db, &refresh_find_sql, columns, r, PARAMS(P_TEXT(r->id))));
    return login_session_find(r->db, r->session_id, &r->session);
}

QUERY(refresh_next_sql, "INSERT INTO refresh_token (tenant_id, id, session_id, hash)"
                        " VALUES (current_tenant(), $1::uuid, $2::uuid, $3)");
QUERY(refresh_use_sql, "UPDATE refresh_token SET used_at = clock_timestamp(), successor_id ="
                       " $2::uuid WHERE tenant_id = current_tenant() AND id = $1::uuid");

static enum err rotate(struct request *rq)
{
    struct refresh *r = rq->work;
    struct opaque next;
    char id[ID_SIZE];

    request_object(rq, "users/%s", rq->caller.name);
    request_audit(rq, "client", json_string(r->client->client_id));
    TRY(db_one(rq->db, &refresh_lock_sql, columns, r, PARAMS(P_TEXT(r->id))));
    if (r->used_ms > GRACE_MS) {
        r->reused = true;
        return ERR_INVALID;
    }
    if (r->used_ms >= 0) {
        opaque_derive(rq->arena, REFRESH_PREFIX, rq->caller.tenant_id, r->successor_id, &next);
        r->next = next.text;
        return OK;
    }
    id_new(id);
    opaque_derive(rq->arena, REFRESH_PREFIX, rq->caller.tenant_id, id, &next);
    r->next = next.text;
    TRY(db_change(
        rq->db, &refresh_next_sql,
        PARAMS(P_TEXT(id), P_TEXT(r->session_id), P_BYTES(next.hash.bytes, SHA256_SIZE))));
    return db_change(rq->db, &refresh_use_sql, PARAMS(P_TEXT(r->id), P_TEXT(id)));
}

static enum err open_token(struct request *rq, const struct form *f, struct refresh *r)
{
    const char *text = form_get(f, "refresh_token");
    struct opaque handle;
    struct digest kept;
    enum err e;

    if (text == NULL)
        return fail(rq, ERR_INVALID, "refresh_token is missing");
    if (!opaque_parse(REFRESH_PREFIX, text, &handle) ||
        strcmp(handle.tenant_id, r->client->tenant_id) != 0)
        return grant_invalid(rq, "refresh_token", "is unknown");
    r->id = arena_text(rq->arena, handle.id);
    e = db_tx(rq->db, TX_POINT, r->client->tenant_id, find, r);
    if (e == OK &&
        (!hex_decode(r->hash, kept.bytes, SHA256_SIZE) || !digest_equal(&kept, &handle.hash) ||
         strcmp(r->session.client_id, r->client->id) != 0))
        e = ERR_NOT_FOUND;
    if (e == OK)
        e = login_session_enter(rq, r->client->tenant_id, r->session.principal_id, r->session.id);
    if (e == ERR_NOT_FOUND || e == ERR_TOKEN)
        return grant_invalid(rq, "refresh_token", "is unknown, revoked or expired");
    return e;
}

enum err grant_refresh(struct request *rq, const struct form *f, const struct oauth_client *c)
{
    struct refresh r = {.db = rq->db, .client = c};
    const char *scope;
    enum err e;

    TRY(grant_scope(rq, f, &scope));
    TRY(open_token(rq, f, &r));
    if (scope == NULL)
        scope = r.session.scope;
    if (!scope_within(scope, r.session.scope))
        return oauth_fail(rq, ERR_INVALID, "invalid_scope", "scope is more than was granted");
    rq->work = &r;
    e = request_tx(rq, rotate);
    if (r.reused) {
        TRY(grant_end_session(rq, c->tenant_id, r.session_id, "a refresh token was used twice"));
        return grant_invalid(rq, "refresh_token", "was used before; its session is revoked");
    }
    TRY(e);
    return grant_reply(rq, &(struct issue){c, &r.session, scope, r.next, NULL});
}
