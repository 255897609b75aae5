/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/limit.h"

#include "auth/access/action.h"
#include "auth/handlers.h"
#include "auth/limit_table.h"
#include "auth/sign_in/known_browser.h"
#include "core/gcra.h"
#include "core/sip.h"
#include "core/source.h"

#include <stdatomic.h>
#include <string.h>

#define SECOND 1000000000LL
#define BURST  (2 * SECOND)

enum { CELLS = 65536, BAD_TOKENS_BURST_S = 10, BY_ADDRESS = LIMITS, BY_TOKEN };

static const struct {
    const char *name;
    int64_t units;
    size_t offset; /* in struct limits */
} kinds[LIMITS] = {
#define LIMIT(name, units, meaning) {#name, units, offsetof(struct limits, name)},
#include "auth/limits.def"
#undef LIMIT
};

static struct {
    struct gcra_table *callers;
    struct gcra_table *addresses; /* a flood of these touches no caller */
    struct limits most;
    int64_t address; /* requests a second */
    int64_t bad_tokens;
    atomic_llong refused[LIMIT_COUNTERS];
} limiter;

static int64_t rate_of(const struct limits *l, enum limit kind)
{
    int64_t rate;

    memcpy(&rate, (const char *)l + kinds[kind].offset, sizeof(rate));
    return rate;
}

struct limits limit_effective(const struct limits *own)
{
    struct limits l = limiter.most;

    for (int i = 0; own != NULL && i < LIMITS; i++) {
        int64_t rate = rate_of(own, (enum limit)i);

        if (rate > 0 && rate < rate_of(&l, (enum limit)i))
            memcpy((char *)&l + kinds[i].offset, &rate, sizeof(rate));
    }
    return l;
}

enum err limit_start(const struct service *service)
{
    const struct config *c = service->config;

    limiter.callers = gcra_new(CELLS);
    limiter.addresses = gcra_new(CELLS);
    limiter.most = (struct limits){
#define LIMIT(name, units, meaning) .name = c->rate_##name,
#include "auth/limits.def"
#undef LIMIT
    };
    limiter.address = c->rate_address;
    limiter.bad_tokens = c->rate_bad_tokens;
    return limit_table_start(service->conninfo);
}

void limit_stop(void)
{
    limit_table_stop();
    gcra_free(limiter.callers);
    gcra_free(limiter.addresses);
    limiter.callers = limiter.addresses = NULL;
}

/* By what the request's line says. */
static enum limit class_of(const struct route *r)
{
    if (r->action == ENDPOINT_INVOKE)
        return LIMIT_invoke;
    switch (r->tx) {
    case TX_WRITE:
        return LIMIT_write;
    case TX_MANUAL:
        if (body_streamed(r->body))
            return LIMIT_heavy;
        return r->scope == SCOPE_NONE || r->scope == SCOPE_SELF ? LIMIT_auth : LIMIT_heavy;
    case TX_READ:
        return LIMIT_heavy;
    default:
        return LIMIT_read;
    }
}

static bool for_openlineage(const struct request *rq)
{
    static const char prefix[] = "/api/v1/";

    return strncmp(rq->path, prefix, sizeof(prefix) - 1) == 0;
}

struct verdict {
    unsigned counter;
    const char *name;
    int64_t rate;
    int64_t wait_ns;
};

static enum err refuse(struct request *rq, const struct verdict *v)
{
    struct arena *a = rq->arena;
    long long seconds = (v->wait_ns + SECOND - 1) / SECOND;

    atomic_fetch_add(&limiter.refused[v->counter], 1);
    request_set_header(rq, "Retry-After", arena_printf(a, "%lld", seconds));
    request_set_header(rq, "RateLimit-Policy",
                       arena_printf(a, "\"%s\";q=%lld;w=1", v->name, (long long)v->rate));
    request_set_header(rq, "RateLimit", arena_printf(a, "\"%s\";r=0;t=%lld", v->name, seconds));
    rq->metered = true;
    fail_because(rq, "more than %lld a second (limit \"%s\"); try again in %lld s",
                 (long long)v->rate, v->name, seconds);
    return for_openlineage(rq) ? ERR_BUSY : ERR_RATE;
}

static struct gcra of_rate(int64_t rate, int64_t shares)
{
    return (struct gcra){.interval_ns = SECOND * shares / rate, .burst_ns = BURST};
}

static uint64_t key_of(enum limit kind, const char *whose)
{
    return sip_text((uint64_t)kind + 1, whose);
}

static uint64_t address_key(unsigned kind, const struct request *rq)
{
    char source[SOURCE_SIZE];

    source_of(rq->remote, source);
    return sip_text((uint64_t)kind + 1, source);
}

enum err limit_address(struct request *rq)
{
    const struct gcra g = of_rate(limiter.address, 1);
    struct verdict v = {BY_ADDRESS, "address", limiter.address, 0};

    v.wait_ns = gcra_take(limiter.addresses, address_key(BY_ADDRESS, rq), &g, 1, gcra_now());
    return v.wait_ns > 0 ? refuse(rq, &v) : OK;
}

static struct gcra bad_tokens(void)
{
    return (struct gcra){.interval_ns = SECOND / limiter.bad_tokens,
                         .burst_ns = BAD_TOKENS_BURST_S * SECOND};
}

/* A browser that is known is not kept out by what others do at its address. */
static uint64_t sign_in_key(struct request *rq)
{
    const char *known = known_browser_id(rq, NULL);

    return known == NULL ? address_key(LIMIT_auth, rq) : key_of(LIMIT_auth, known);
}

enum err limit_unknown(struct request *rq)
{
    const struct gcra tokens = bad_tokens();
    const struct gcra sign_ins = of_rate(limiter.most.auth, 1);
    struct verdict v = {BY_TOKEN, "token", limiter.bad_tokens, 0};

    if (rq->route->action != PUBLIC) {
        v.wait_ns = gcra_wait(limiter.addresses, address_key(BY_TOKEN, rq), &tokens, gcra_now());
    } else if (class_of(rq->route) == LIMIT_auth) {
        v = (struct verdict){LIMIT_auth, "auth", limiter.most.auth, 0};
        v.wait_ns = gcra_take(limiter.addresses, sign_in_key(rq), &sign_ins, 1, gcra_now());
    }
    return v.wait_ns > 0 ? refuse(rq, &v) : OK;
}

void limit_bad_token(const struct request *rq)
{
    const struct gcra g = bad_tokens();

    (void)gcra_take(limiter.addresses, address_key(BY_TOKEN, rq), &g, 1, gcra_now());
}

enum { LEVELS = 3 };
struct level {
    enum limit kind;
    uint64_t key;
    int64_t units;
    struct gcra gcra;
};

/* Nobody pays at one level for what another refuses; several at once may get past by one each. */
static enum err take(struct request *rq, const struct limits *l, const struct level *levels)
{
    int64_t now = gcra_now();

    for (int i = 0; i < LEVELS; i++) {
        const struct level *each = &levels[i];
        struct verdict v = {each->kind, kinds[each->kind].name, rate_of(l, each->kind), 0};

        v.wait_ns = gcra_wait(limiter.callers, each->key, &each->gcra, now);
        if (v.wait_ns > 0)
            return refuse(rq, &v);
    }
    for (int i = 0; i < LEVELS; i++)
        (void)gcra_take(limiter.callers, levels[i].key, &levels[i].gcra, levels[i].units, now);
    return OK;
}

/* Whoever has set a limit too low must be able to raise it. */
static bool is_exempt(const struct request *rq)
{
    return rq->route->handler == put_limits || rq->route->handler == get_limits;
}

enum err limit_caller(struct request *rq, const char *tenant_id, const char *principal)
{
    enum limit class = class_of(rq->route);
    struct limits own;
    bool has_own = limit_table_find(tenant_id, &own);
    struct limits l = limit_effective(has_own ? &own : NULL);
    int64_t replicas = limit_replicas();
    struct level levels[LEVELS] = {
        {LIMIT_tenant, key_of(LIMIT_tenant, tenant_id), kinds[class].units, {0, 0}},
        {LIMIT_principal, key_of(LIMIT_principal, principal), kinds[class].units, {0, 0}},
        {class, key_of(class, principal), 1, {0, 0}}};

    if (rq->metered || is_exempt(rq))
        return OK;
    rq->metered = true;
    for (int i = 0; i < LEVELS; i++)
        levels[i].gcra = of_rate(rate_of(&l, levels[i].kind), replicas);
    return take(rq, &l, levels);
}

const char *limit_counter(unsigned i, int64_t *refused)
{
    *refused = atomic_load(&limiter.refused[i]);
    return i == BY_ADDRESS ? "address" : i == BY_TOKEN ? "token" : kinds[i].name;
}
