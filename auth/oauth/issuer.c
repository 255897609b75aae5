/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/oauth/issuer.h"

#include "auth/outbound.h"
#include "core/log.h"
#include "core/text.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    ISSUERS_MAX = 128,
    ISSUER_MAX = 512, /* bytes with the terminator: more than a provider may be registered with */
    FRESH_MS = 10 * 60 * 1000,
    RETRY_MS = 30 * 1000,
    STALE_MS = 24 * 3600 * 1000,
    INSIDE_MAX = 2,
    WHY_MAX = 400
};

/* What is known of one issuer. Under the lock, but for the fetching itself. */
struct known {
    char issuer[ISSUER_MAX]; /* empty: nothing is known here */
    char *authorization_endpoint;
    char *token_endpoint;
    bool says_iss;
    bool secret_post;
    struct jwks keys;
    bool fetching;
    int64_t good_ms;  /* last fetched; 0 for never */
    int64_t tried_ms; /* last asked; 0 for never */
    int64_t used_ms;
    enum err failed; /* of the last try */
    char why[WHY_MAX];
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t done;
    int inside; /* threads that fetch or wait for who does */
    struct known all[ISSUERS_MAX];
} cache = {.lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};

static void empty(struct known *k)
{
    free(k->authorization_endpoint);
    free(k->token_endpoint);
    jwks_clear(&k->keys);
    memset(k, 0, sizeof(*k));
}

void issuers_stop(void)
{
    (void)pthread_mutex_lock(&cache.lock);
    for (size_t i = 0; i < ISSUERS_MAX; i++)
        if (!cache.all[i].fetching)
            empty(&cache.all[i]);
    (void)pthread_mutex_unlock(&cache.lock);
}

/* Its place, or that of whoever was used longest ago; NULL when all are being fetched. */
static struct known *place_of(const char *issuer)
{
    struct known *oldest = NULL;
    size_t length = strlen(issuer);

    for (size_t i = 0; i < ISSUERS_MAX; i++) {
        struct known *k = &cache.all[i];

        if (strcmp(k->issuer, issuer) == 0)
            return k;
        if (!k->fetching && (oldest == NULL || k->used_ms < oldest->used_ms))
            oldest = k;
    }
    if (oldest == NULL || length >= ISSUER_MAX)
        return NULL;
    empty(oldest);
    memcpy(oldest->issuer, issuer, length + 1);
    return oldest;
}

static enum err get_json(struct arena *a, const char *url, struct outbound_reply *r,
                         const char **why)
{
    enum err e = outbound_send(a, &(struct outbound){.url = url}, r, why);

    if (e != OK || r->status == 200)
        return e;
    *why = r->status >= 300 && r->status < 400
               ? arena_printf(a, "%s redirects, which is not followed", url)
               : arena_printf(a, "%s answered %ld", url, r->status);
    return ERR_UNAVAILABLE;
}

static void release_json(void *json)
{
    json_decref(json);
}

static const char *url_member(struct arena *a, const json_t *json, const char *name,
                              const char **why)
{
    const char *url = json_string_value(json_object_get(json, name));

    if (url != NULL && outbound_check(a, url, why) == OK)
        return url;
    *why = arena_printf(a, "the issuer's %s is missing or no https URL", name);
    return NULL;
}

static bool has(const json_t *list, const char *text)
{
    const json_t *one;
    size_t i;

    json_array_foreach(list, i, one) if (json_is_string(one) &&
                                         strcmp(json_string_value(one), text) == 0) return true;
    return false;
}

/* OpenID Connect Discovery §4.3: the issuer in the answer is ours, byte for byte. */
static enum err discover(struct arena *a, struct known *new, const char **jwks_uri,
                         const char **why)
{
    size_t length = strlen(new->issuer);
    bool slash = length > 0 && new->issuer[length - 1] == '/';
    const char *url =
        arena_printf(a, "%s%s.well-known/openid-configuration", new->issuer, slash ? "" : "/");
    struct outbound_reply r;
    const json_t *methods;
    const char *said;
    json_t *json;

    TRY(get_json(a, url, &r, why));
    json = json_loadb(r.body, r.length, JSON_REJECT_DUPLICATES, NULL);
    *why = "the issuer's configuration is not JSON";
    if (json == NULL)
        return ERR_UNAVAILABLE;
    arena_own(a, json, release_json);
    said = json_string_value(json_object_get(json, "issuer"));
    *why = "the issuer's configuration names another issuer";
    if (said == NULL || strcmp(said, new->issuer) != 0)
        return ERR_UNAVAILABLE;
    *jwks_uri = url_member(a, json, "jwks_uri", why);
    if (*jwks_uri == NULL)
        return ERR_UNAVAILABLE;
    methods = json_object_get(json, "token_endpoint_auth_methods_supported");
    new->secret_post = has(methods, "client_secret_post") && !has(methods, "client_secret_basic");
    new->says_iss =
        json_is_true(json_object_get(json, "authorization_response_iss_parameter_supported"));
    /* Issuers of workloads have neither of these. */
    said = url_member(a, json, "authorization_endpoint", why);
    new->authorization_endpoint = said == NULL ? NULL : strdup(said);
    said = url_member(a, json, "token_endpoint", why);
    new->token_endpoint = said == NULL ? NULL : strdup(said);
    return OK;
}

static enum err fetch(struct arena *a, struct known *new, const char **why)
{
    struct outbound_reply r;
    const char *jwks_uri;

    TRY(discover(a, new, &jwks_uri, why));
    TRY(get_json(a, jwks_uri, &r, why));
    if (jwks_parse(r.body, r.length, &new->keys) != OK) {
        *why = "the issuer's keys are no JSON Web Key Set of at most 64 keys";
        return ERR_UNAVAILABLE;
    }
    *why = "the issuer has no key that can be used";
    return new->keys.count == 0 ? ERR_UNAVAILABLE : OK;
}

/* What was fetched takes the place of what was known. */
static void settle(struct known *k, struct known *new, enum err e, const char *why)
{
    int64_t used = k->used_ms;
    int64_t now = time_steady_ms();

    if (e == OK) {
        empty(k);
        *k = *new;
        k->used_ms = used;
        k->good_ms = now;
    } else {
        size_t length = strlen(why);

        length = length < WHY_MAX - 1 ? length : WHY_MAX - 1;
        memcpy(k->why, why, length);
        k->why[length] = '\0';
        log_world("issuer %s: %s", k->issuer, k->why);
        empty(new);
    }
    k->failed = e;
    k->fetching = false;
    k->tried_ms = now;
    (void)pthread_cond_broadcast(&cache.done);
}

/* With the lock held, which is let go while fetching. */
static void renew(struct arena *a, struct known *k)
{
    struct known *new = arena_alloc(a, sizeof(*new));
    const char *why = "";
    enum err e;

    k->fetching = true;
    cache.inside++;
    memcpy(new->issuer, k->issuer, ISSUER_MAX);
    (void)pthread_mutex_unlock(&cache.lock);
    e = fetch(a, new, &why);
    (void)pthread_mutex_lock(&cache.lock);
    cache.inside--;
    settle(k, new, e, why);
}

static bool usable(const struct known *k)
{
    return k->good_ms != 0 && time_steady_ms() - k->good_ms < STALE_MS;
}

/* An issuer may take its time, so few threads may wait for it, and none for what is known. NULL
 * when there are too many. */
static struct known *settled(const char *issuer, bool anew)
{
    struct known *k;

    while ((k = place_of(issuer)) != NULL && k->fetching && (anew || !usable(k))) {
        if (cache.inside >= INSIDE_MAX)
            return NULL;
        cache.inside++;
        (void)pthread_cond_wait(&cache.done, &cache.lock);
        cache.inside--;
    }
    return k;
}

static bool is_due(const struct known *k, bool anew, int64_t now)
{
    return !k->fetching && (anew || k->good_ms == 0 || now - k->good_ms > FRESH_MS) &&
           (k->tried_ms == 0 || now - k->tried_ms > RETRY_MS);
}

/* With the lock held afterwards when OK. anew: what is known lacks something. */
static enum err take(struct arena *a, const char *issuer, bool anew, struct known **out,
                     const char **why)
{
    int64_t asked = time_steady_ms();
    struct known *k;

    (void)pthread_mutex_lock(&cache.lock);
    k = settled(issuer, anew);
    if (k != NULL && is_due(k, anew, asked)) {
        if (cache.inside < INSIDE_MAX)
            renew(a, k);
        else if (!usable(k))
            k = NULL;
    }
    if (k == NULL) {
        (void)pthread_mutex_unlock(&cache.lock);
        *why = "other issuers are being asked already; try again in a moment";
        return ERR_BUSY;
    }
    k->used_ms = asked;
    *out = k;
    if (usable(k))
        return OK;
    *why = arena_text(a, k->why);
    asked = (int64_t)k->failed;
    (void)pthread_mutex_unlock(&cache.lock);
    return (enum err)asked;
}

enum err issuer_find(struct arena *a, const char *issuer, struct issuer *out, const char **why)
{
    struct known *k;
    enum err e = take(a, issuer, false, &k, why);

    if (e != OK)
        return e;
    *out = (struct issuer){.authorization_endpoint = arena_text(a, k->authorization_endpoint),
                           .token_endpoint = arena_text(a, k->token_endpoint),
                           .says_iss = k->says_iss,
                           .secret_post = k->secret_post};
    (void)pthread_mutex_unlock(&cache.lock);
    if (out->authorization_endpoint != NULL && out->token_endpoint != NULL)
        return OK;
    *why = "the issuer names no authorization and token endpoints";
    return ERR_UNAVAILABLE;
}

/* The key of that id; ERR_NOT_FOUND; ERR_CONFLICT when two have it, since which one is meant? */
static enum err find_key(const struct known *k, const char *kid, struct jwk *out)
{
    size_t found = 0;

    for (size_t i = 0; i < k->keys.count; i++)
        if (strcmp(k->keys.keys[i].kid, kid) == 0 && found++ == 0)
            *out = k->keys.keys[i];
    if (found != 1)
        return found == 0 ? ERR_NOT_FOUND : ERR_CONFLICT;
    return EVP_PKEY_up_ref(out->key) == 1 ? OK : ERR_INTERNAL;
}

static enum err key_of(struct arena *a, const char *issuer, const char *kid, struct jwk *key,
                       const char **why)
{
    enum err e = ERR_NOT_FOUND;

    for (int round = 0; round < 2 && e == ERR_NOT_FOUND; round++) {
        struct known *k;

        TRY(take(a, issuer, round > 0, &k, why));
        e = find_key(k, kid, key);
        (void)pthread_mutex_unlock(&cache.lock);
    }
    if (e == OK)
        return OK;
    *why = e == ERR_CONFLICT ? "two of the issuer's keys have this kid"
                             : "kid names no key of the issuer";
    return ERR_TOKEN;
}

enum err issuer_token(struct arena *a, const char *token, const struct foreign_rules *rules,
                      const json_t **claims, const char **why)
{
    struct jwt_parts parts;
    struct jwk key = {.key = NULL};
    const char *kid;
    enum err e;

    TRY(jwt_unpack(a, token, strlen(token), &parts, why));
    TRY(foreign_token_header(&parts, rules, &kid, why));
    TRY(key_of(a, rules->issuer, kid, &key, why));
    e = foreign_token_check(&parts, rules, &key, why);
    EVP_PKEY_free(key.key);
    *claims = e == OK ? parts.claims : NULL;
    return e;
}
