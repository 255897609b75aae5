/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access_jwt.h"

#include "auth/jwt.h"
#include "auth/keys/key.h"
#include "auth/oauth/scope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECOND_MS = 1000, SKEW_S = 60, LIFETIME_MAX_S = 3600 };
static const char audience[] = "chancery";
static const char type[] = "at+jwt";
static const struct service *service;

void access_jwt_start(const struct service *s)
{
    service = s;
}

const char *access_jwt_issuer(void)
{
    return service == NULL ? "" : service->url;
}

void access_jwt_add_sign_in(json_t *claims, const struct bearer *b)
{
    int64_t at = b->auth_ms == 0 ? time_now_ms() : b->auth_ms;
    json_t *list;

    json_object_set_new(claims, "auth_time", json_integer(at / SECOND_MS));
    if (b->amr == NULL || *b->amr == '\0') /* a machine, or somebody who was signed in elsewhere */
        return;
    list = json_array();
    for (const char *p = b->amr; *p != '\0'; p += strcspn(p, " "), p += strspn(p, " "))
        json_array_append_new(list, json_stringn(p, strcspn(p, " ")));
    json_object_set_new(claims, "amr", list);
    json_object_set_new(claims, "acr", json_string(b->mfa_ms > 0 ? "mfa" : "pwd"));
    if (b->mfa_ms > 0)
        json_object_set_new(claims, "mfa_time", json_integer(b->mfa_ms / SECOND_MS));
}

static json_t *claims_of(const struct bearer *b, int64_t now, int64_t until)
{
    char id[ID_SIZE];
    json_t *claims;

    id_new(id);
    claims = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:I,s:I,s:s*,s:s*,s:s*}", "iss",
                       access_jwt_issuer(), "aud", audience, "sub", b->id, "tenant", b->tenant,
                       "tenant_id", b->tenant_id, "name", b->name, "kind", b->kind, "jti", id,
                       "iat", (json_int_t)now, "exp", (json_int_t)until, "sid", b->session_id,
                       "client_id", b->client_id, "scope", b->scope);
    if (claims != NULL)
        access_jwt_add_sign_in(claims, b);
    return claims;
}

enum err access_jwt_mint(struct db *db, const struct bearer *b, const char **token,
                         int64_t *expires_in)
{
    int64_t now = time_now_ms() / SECOND_MS;
    int64_t until = now + service->config->token_minutes * 60;
    char kid[KID_SIZE];
    EVP_PKEY *key;
    enum err e;

    if (b->expires_ms != 0 && b->expires_ms / SECOND_MS < until)
        until = b->expires_ms / SECOND_MS;
    *expires_in = until - now;
    TRY(keys_signer(db, &key, kid));
    e = jwt_mint(db->arena, key, kid, type, claims_of(b, now, until), token);
    EVP_PKEY_free(key);
    return e;
}

/* A UUIDv7 begins with its milliseconds (RFC 9562 §5.7), finer than iat. */
int64_t access_jwt_id_ms(const char *id)
{
    char digits[13];

    (void)snprintf(digits, sizeof(digits), "%.8s%.4s", id, id + 9);
    return strtoll(digits, NULL, 16);
}

static bool take_id(const json_t *claims, const char *name, char out[ID_SIZE])
{
    const char *text = json_string_value(json_object_get(claims, name));

    if (text == NULL || !id_valid(text))
        return false;
    (void)snprintf(out, ID_SIZE, "%s", text);
    return true;
}

enum err access_jwt_open(struct db *db, const char *text, struct claims *claims, const char **why)
{
    const struct jwt_rules rules = {.issuer = access_jwt_issuer(),
                                    .audience = audience,
                                    .type = type,
                                    .now = time_now_ms() / SECOND_MS,
                                    .skew = SKEW_S,
                                    .lifetime_max = LIFETIME_MAX_S,
                                    .key_of = keys_verifier,
                                    .arg = db};
    const json_t *json;

    TRY(jwt_verify(db->arena, text, strlen(text), &rules, &json, why));
    *claims = (struct claims){
        .kind = TOKEN_ACCESS,
        .expires_ms = json_integer_value(json_object_get(json, "exp")) * SECOND_MS,
    };
    claims->auth_ms = json_integer_value(json_object_get(json, "auth_time")) * SECOND_MS;
    claims->mfa_ms = json_integer_value(json_object_get(json, "mfa_time")) * SECOND_MS;
    scope_limit(json_string_value(json_object_get(json, "scope")), claims);
    if (json_object_get(json, "sid") != NULL && !take_id(json, "sid", claims->session)) {
        *why = "sid is an id";
        return ERR_TOKEN;
    }
    if (take_id(json, "sub", claims->principal) && take_id(json, "jti", claims->id) &&
        take_id(json, "tenant_id", claims->tenant_id)) {
        claims->issued_ms = access_jwt_id_ms(claims->id);
        return OK;
    }
    *why = "sub, jti and tenant_id are ids";
    return ERR_TOKEN;
}

enum err access_jwt_id_token(struct db *db, const char *text, const char **client_id)
{
    struct jwt_rules rules = {.issuer = access_jwt_issuer(),
                              .type = "JWT",
                              .skew = SKEW_S,
                              .lifetime_max = LIFETIME_MAX_S,
                              .key_of = keys_verifier,
                              .arg = db};
    struct jwt_parts parts;
    const json_t *claims;
    const char *why;

    TRY(jwt_unpack(db->arena, text, strlen(text), &parts, &why));
    *client_id = json_string_value(json_object_get(parts.claims, "aud"));
    rules.audience = *client_id;
    rules.now = json_integer_value(json_object_get(parts.claims, "iat"));
    if (*client_id == NULL)
        return ERR_TOKEN;
    return jwt_verify(db->arena, text, strlen(text), &rules, &claims, &why);
}
