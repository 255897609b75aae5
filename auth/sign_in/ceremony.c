/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/sign_in/passkey.h"

#include "auth/access_jwt.h"
#include "auth/sign_in/authenticator.h"

#include <string.h>

enum { OUTSTANDING = 10, KEY_MAX = 4096, TIMEOUT_MS = CEREMONY_S * 1000 };

static enum err find_site(struct request *rq, struct webauthn_rules *out)
{
    if (webauthn_site(rq->arena, access_jwt_issuer(), out) != OK)
        return fail(rq, ERR_CONFLICT,
                    "passkeys need a service that is called by a name (setting public_url), not by "
                    "an address");
    return OK;
}

static const char *user_handle(struct arena *a, const char *principal_id)
{
    return base64url_encode(a, principal_id, strlen(principal_id));
}

static void release_json(void *json)
{
    json_decref(json);
}

/* Takes known, the credentials that there are. */
static const json_t *options_of(struct request *rq, const struct webauthn_rules *r,
                                const struct ceremony *c, const char *name, json_t *known)
{
    json_t *json;

    if (strcmp(c->purpose, FOR_REGISTER) != 0) {
        json = json_pack("{s:s,s:s,s:o,s:s,s:i}", "challenge", r->challenge, "rpId", r->rp_id,
                         "allowCredentials", known, "userVerification", "required", "timeout",
                         TIMEOUT_MS);
    } else {
        json_t *offered = json_array();

        for (size_t i = 0; i < COSE_COUNT; i++)
            json_array_append_new(offered, json_pack("{s:s,s:I}", "type", "public-key", "alg",
                                                     (json_int_t)cose_offered[i]));
        json = json_pack("{s:{s:s,s:s},s:{s:s,s:s,s:s},s:s,s:o,s:o,s:{s:s,s:s},s:s,s:i}", "rp",
                         "id", r->rp_id, "name", "Chancery", "user", "id", r->user_handle, "name",
                         name, "displayName", name, "challenge", r->challenge, "pubKeyCredParams",
                         offered, "excludeCredentials", known, "authenticatorSelection",
                         "userVerification", "required", "residentKey", "discouraged",
                         "attestation", "none", "timeout", TIMEOUT_MS);
    }
    if (json != NULL)
        arena_own(rq->arena, json, release_json);
    return json;
}

/* The handle's SHA-256 is the challenge, so whoever sees that cannot spend it. */
QUERY(ceremony_sweep_sql,
      "DELETE FROM webauthn_challenge WHERE tenant_id = current_tenant() AND principal_id ="
      " $1::uuid AND (expires_at < now() OR id NOT IN (SELECT c.id FROM webauthn_challenge c"
      " WHERE c.tenant_id = current_tenant() AND c.principal_id = $1::uuid ORDER BY c.id DESC"
      " LIMIT $2::bigint))");
QUERY(ceremony_insert_sql,
      "INSERT INTO webauthn_challenge (tenant_id, id, principal_id, purpose, session_id, hash,"
      " expires_at) VALUES (current_tenant(), $1::uuid, $2::uuid, $3, $4::uuid, $5,"
      " now() + make_interval(secs => $6::bigint))");

struct beginning {
    struct db *db;
    const struct ceremony *ceremony;
    const struct opaque *handle;
    json_t *known;
};

static enum err insert(void *arg)
{
    struct beginning *b = arg;
    const struct ceremony *c = b->ceremony;

    TRY(db_run(b->db, &ceremony_sweep_sql, NULL,
               PARAMS(P_TEXT(c->principal_id), P_INT(OUTSTANDING - 1))));
    TRY(db_change(b->db, &ceremony_insert_sql,
                  PARAMS(P_TEXT(b->handle->id), P_TEXT(c->principal_id), P_TEXT(c->purpose),
                         P_TEXT(c->session_id), P_BYTES(b->handle->hash.bytes, SHA256_SIZE),
                         P_INT(CEREMONY_S))));
    json_decref(b->known);
    b->known = NULL;
    return passkey_descriptors(b->db, c->principal_id, &b->known);
}

enum err ceremony_begin(struct request *rq, struct ceremony *c, const char *name)
{
    struct webauthn_rules rules = {.user_handle = user_handle(rq->arena, c->principal_id)};
    struct opaque handle;
    struct beginning b = {.db = rq->db, .ceremony = c, .handle = &handle};
    enum err e;

    TRY(find_site(rq, &rules));
    opaque_make(rq->arena, CEREMONY_PREFIX, c->tenant_id, &handle);
    rules.challenge = base64url_encode(rq->arena, handle.hash.bytes, SHA256_SIZE);
    e = db_tx(rq->db, TX_WRITE, c->tenant_id, insert, &b);
    if (e != OK) {
        json_decref(b.known);
        return e;
    }
    c->handle = handle.text;
    c->options = options_of(rq, &rules, c, name, b.known);
    return c->options == NULL ? ERR_INTERNAL : OK;
}

/* A ceremony's end. It is a transaction of its own, which also commits when what came back is worth
 * nothing: then the challenge is gone all the same. */
struct ending {
    struct db *db;
    struct ceremony *ceremony;
    struct opaque handle;
    struct webauthn_rules rules;
    struct webauthn_credential fresh; /* FOR_REGISTER */
    const char *passkey;              /* its row's id */
    bool synced;
    bool cloned;
    const char *why; /* it is refused; NULL for not */
};

struct taken {
    const char *principal_id;
};
static const struct field taken_columns[] = {TEXT(struct taken, principal_id, 36), FIELDS_END};
QUERY(ceremony_take_sql,
      "DELETE FROM webauthn_challenge WHERE tenant_id = current_tenant() AND id = $1::uuid"
      " AND hash = $2 AND purpose = $3 AND session_id IS NOT DISTINCT FROM $4::uuid"
      " AND expires_at > now() RETURNING principal_id");

static enum err take(struct ending *g)
{
    struct taken t;

    TRY(db_one(g->db, &ceremony_take_sql, taken_columns, &t,
               PARAMS(P_TEXT(g->handle.id), P_BYTES(g->handle.hash.bytes, SHA256_SIZE),
                      P_TEXT(g->ceremony->purpose), P_TEXT(g->ceremony->session_id))));
    g->ceremony->principal_id = t.principal_id;
    g->rules.user_handle = user_handle(g->db->arena, t.principal_id);
    return OK;
}

struct known {
    const char *id;
    const char *public;
    int64_t algorithm;
    int64_t counter;
    bool synced;
};
static const struct field known_columns[] = {
    TEXT(struct known, id, 36),
    TEXT(struct known, public, INT64_C(2) * KEY_MAX),
    INT(struct known, algorithm, INT64_MIN, INT64_MAX),
    INT(struct known, counter, 0, INT64_MAX),
    BOOL(struct known, synced),
    FIELDS_END,
};
QUERY(ceremony_known_sql, "SELECT id, public, algorithm, counter, synced FROM webauthn_credential"
                          " WHERE tenant_id = current_tenant() AND principal_id = $1::uuid"
                          " AND credential_id = $2 FOR UPDATE");
QUERY(ceremony_used_sql, "UPDATE webauthn_credential SET counter = $2::bigint, last_used_at ="
                         " now() WHERE tenant_id = current_tenant() AND id = $1::uuid");

static enum err find_known(struct ending *g, struct webauthn_credential *out)
{
    struct known k;
    uint8_t *key;

    if (!webauthn_id(g->db->arena, g->ceremony->credential, &out->id, &out->id_length))
        return ERR_NOT_FOUND;
    TRY(db_one(g->db, &ceremony_known_sql, known_columns, &k,
               PARAMS(P_TEXT(g->ceremony->principal_id), P_BYTES(out->id, out->id_length))));
    out->key_length = strlen(k.public) / 2;
    key = arena_alloc(g->db->arena, out->key_length + 1);
    if (!hex_decode(k.public, key, out->key_length))
        return ERR_INTERNAL;
    out->key = key;
    out->algorithm = k.algorithm;
    out->counter = k.counter;
    out->backup_eligible = g->synced = k.synced;
    g->passkey = k.id;
    return OK;
}

static enum err use(struct ending *g)
{
    struct webauthn_credential known = {.id = NULL};
    struct webauthn_use used;
    enum err e = find_known(g, &known);

    if (e == ERR_NOT_FOUND) {
        g->why = "it is none of this account's";
        return OK;
    }
    TRY(e);
    if (webauthn_assert(g->db->arena, &g->rules, g->ceremony->credential, &known, &used, &g->why) !=
        OK)
        return OK;
    g->cloned = used.cloned;
    if (used.cloned) {
        g->why = "its counter went back, so there may be a copy of it";
        return OK;
    }
    return db_change(g->db, &ceremony_used_sql, PARAMS(P_TEXT(g->passkey), P_INT(used.counter)));
}

static enum err end(void *arg)
{
    struct ending *g = arg;
    enum err e = take(g);

    g->why = NULL;
    g->cloned = false;
    if (e == ERR_NOT_FOUND) {
        g->why = "the challenge is unknown, was used before or is too old; begin again";
        return OK;
    }
    TRY(e);
    if (strcmp(g->ceremony->purpose, FOR_REGISTER) != 0)
        return use(g);
    e = webauthn_register(g->db->arena, &g->rules, g->ceremony->credential, &g->fresh, &g->why);
    return e == ERR_CREDENTIALS ? OK : e;
}

static enum err run(struct request *rq, struct ceremony *c, struct ending *g)
{
    *g = (struct ending){.db = rq->db, .ceremony = c};
    TRY(find_site(rq, &g->rules));
    if (!opaque_parse(CEREMONY_PREFIX, c->handle, &g->handle) ||
        strcmp(g->handle.tenant_id, c->tenant_id) != 0)
        return fail(rq, ERR_CREDENTIALS, "passkey: the challenge is unknown; begin again");
    g->rules.challenge = base64url_encode(rq->arena, g->handle.hash.bytes, SHA256_SIZE);
    TRY(db_tx(rq->db, TX_WRITE, c->tenant_id, end, g));
    if (g->cloned)
        request_audit(rq, "passkey_counter_went_back", json_string(g->passkey));
    return g->why == NULL ? OK : fail(rq, ERR_CREDENTIALS, "passkey: %s", g->why);
}

enum err ceremony_register(struct request *rq, struct ceremony *c, struct webauthn_credential *out)
{
    struct ending g;

    TRY(run(rq, c, &g));
    *out = g.fresh;
    return OK;
}

enum err ceremony_use(struct request *rq, struct ceremony *c, const char **amr)
{
    struct ending g;

    TRY(run(rq, c, &g));
    *amr = g.synced ? "pwd swk pop mfa" : "pwd hwk pop mfa";
    return OK;
}
