/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/oauth/login_cookie.h"

#include <stdlib.h>
#include <string.h>

#define COOKIE "__Host-chancery-login"
enum { SEALED_MAX = 3000 };

static const char place[] = "v1|federated login";
static const struct service *service;

void login_cookie_start(const struct service *s)
{
    service = s;
}

static const struct field state_fields[] = {
    NAME(struct login_state, tenant),
    NAME(struct login_state, provider),
    TEXT(struct login_state, provider_id, 36),
    TEXT(struct login_state, state, 64),
    TEXT(struct login_state, nonce, 64),
    TEXT(struct login_state, verifier, 64),
    OPT_TEXT(struct login_state, back, LOGIN_BACK_MAX),
    INT(struct login_state, expires, 0, INT64_MAX),
    FIELDS_END,
};

static void set(struct request *rq, const char *value, int64_t seconds)
{
    request_set_header(
        rq, "Set-Cookie",
        arena_printf(rq->arena, COOKIE "=%s; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=%lld",
                     value, (long long)seconds));
}

enum err login_cookie_set(struct request *rq, const struct login_state *s, int64_t seconds)
{
    struct text json = text_new(SEALED_MAX);
    uint8_t *sealed;
    enum err e = ERR_INTERNAL;

    field_write(state_fields, s, &json);
    if (!json.failed) {
        sealed = arena_alloc(rq->arena, json.length + SEAL_OVERHEAD);
        e = seal(service->key, place, json.data, json.length, sealed);
        if (e == OK)
            set(rq, base64url_encode(rq->arena, sealed, json.length + SEAL_OVERHEAD), seconds);
    }
    text_free(&json);
    return e;
}

void login_cookie_clear(struct request *rq)
{
    set(rq, "", 0);
}

/* Its value among the others of the header; NULL for none. */
static const char *find(struct request *rq, size_t *length)
{
    const char *p = request_header(rq, "cookie");
    size_t name = strlen(COOKIE);

    while (p != NULL && *p != '\0') {
        p += strspn(p, "; ");
        *length = strcspn(p, ";");
        if (*length > name + 1 && strncmp(p, COOKIE "=", name + 1) == 0) {
            *length -= name + 1;
            return p + name + 1;
        }
        p += *length;
    }
    return NULL;
}

static void release_json(void *json)
{
    json_decref(json);
}

enum err login_cookie_read(struct request *rq, struct login_state *out)
{
    uint8_t sealed[SEALED_MAX + SEAL_OVERHEAD];
    char plain[SEALED_MAX];
    size_t length = 0;
    const char *value = find(rq, &length);
    const char *why;
    json_t *json;
    long n = value == NULL ? -1 : base64url_decode(value, length, sealed, sizeof(sealed));

    if (n <= SEAL_OVERHEAD ||
        unseal(service->key, place, sealed, (size_t)n, (uint8_t *)plain) != OK)
        return ERR_NOT_FOUND;
    json = json_loadb(plain, (size_t)n - SEAL_OVERHEAD, 0, NULL);
    if (json == NULL)
        return ERR_NOT_FOUND;
    arena_own(rq->arena, json, release_json);
    return field_from_json(rq->arena, state_fields, json, out, &why) == OK ? OK : ERR_NOT_FOUND;
}
