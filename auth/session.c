/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/session.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHARDS = 64 };

static struct shard {
    _Alignas(64) pthread_mutex_t lock;
    struct session *first;
} shards[SHARDS];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void prepare(void)
{
    for (size_t i = 0; i < SHARDS; i++)
        (void)pthread_mutex_init(&shards[i].lock, NULL);
}

static struct shard *shard_of(const struct request *rq)
{
    (void)pthread_once(&once, prepare);
    return &shards[((uintptr_t)rq >> 7) % SHARDS];
}

static void end(void *thing)
{
    struct session *s = thing;
    struct shard *shard = shard_of(s->rq);
    struct session **at = &shard->first;

    (void)pthread_mutex_lock(&shard->lock);
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    (void)pthread_mutex_unlock(&shard->lock);
    policy_drop(s->policy);
    free(s);
}

static void drop_policy(void *policy)
{
    policy_drop(policy);
}

/* The caller's texts are those of the session and its policy. */
static void introduce(const struct session *s, struct request *rq)
{
    const struct policy_principal *who = policy_principal(s->policy, s->principal);

    rq->caller = (struct caller){
        .kind = who->kind,
        .tenant_id = s->claims.tenant_id,
        .tenant = policy_tenant(s->policy),
        .id = s->claims.principal,
        .name = who->name,
        .owner_id = who->owner,
        .token_id = s->claims.id,
        .expires_ms = s->claims.expires_ms,
    };
}

static int64_t mfa_age(const struct claims *claims)
{
    return claims->mfa_ms == 0 ? -1 : (time_now_ms() - claims->mfa_ms) / 1000;
}

/* The newest is first, so it hides an older one of the same request. */
struct session *session_begin(struct request *rq, const struct claims *claims,
                              struct policy *policy, uint32_t principal)
{
    struct session *s = calloc(1, sizeof(*s));
    struct shard *shard = shard_of(rq);

    if (s == NULL) {
        (void)fputs("out of memory for a session\n", stderr);
        abort();
    }
    *s = (struct session){.rq = rq,
                          .policy = policy,
                          .principal = principal,
                          .project = POLICY_NONE,
                          .claims = *claims,
                          .circumstances = {.remote = rq->remote,
                                            .purpose = request_header(rq, "chancery-purpose"),
                                            .mfa_age_s = mfa_age(claims)}};
    (void)pthread_mutex_lock(&shard->lock);
    s->next = shard->first;
    shard->first = s;
    (void)pthread_mutex_unlock(&shard->lock);
    arena_own(rq->arena, s, end);
    introduce(s, rq);
    return s;
}

struct session *session_of(const struct request *rq)
{
    struct shard *shard = shard_of(rq);
    struct session *s;

    (void)pthread_mutex_lock(&shard->lock);
    for (s = shard->first; s != NULL && s->rq != rq;)
        s = s->next;
    (void)pthread_mutex_unlock(&shard->lock);
    return s;
}

enum err session_renew(struct session *s, struct request *rq, struct policy *policy)
{
    uint32_t principal = policy_find_principal(policy, s->claims.principal);

    if (!policy_alive(policy, principal)) {
        policy_drop(policy);
        return ERR_TOKEN;
    }
    arena_own(rq->arena, s->policy, drop_policy); /* texts of it may be in use */
    s->policy = policy;
    s->principal = principal;
    s->project = POLICY_NONE;
    introduce(s, rq);
    return OK;
}

bool session_may(const struct session *s, enum action a, uint32_t scope)
{
    if (s->claims.limited && !action_in(&s->claims.scope, a))
        return false;
    return policy_decide(s->policy, &(struct policy_question){s->principal, a, scope, time_now_ms(),
                                                              &s->circumstances});
}

uint32_t session_scope(const struct session *s, const char *project)
{
    uint32_t p = project == NULL ? POLICY_NONE : policy_find_project(s->policy, project);

    return p == POLICY_NONE || !policy_project(s->policy, p)->active ? SCOPE_AT_TENANT
                                                                     : SCOPE_AT_PROJECTS + p;
}

uint32_t session_asset_scope(const struct session *s, const char *project, const char *asset)
{
    uint32_t scope = session_scope(s, project);

    return asset == NULL || scope == SCOPE_AT_TENANT
               ? scope
               : policy_asset_scope(s->policy, scope - SCOPE_AT_PROJECTS, asset);
}

static void append(struct texts *t, const char *name)
{
    t->items[t->count++] = name;
}

/* The assets that have no scope of their own are as the project is. */
void session_readable(const struct session *s, struct arena *arena, enum action a, uint32_t project,
                      const char *kind, struct readable *out)
{
    uint32_t first = (uint32_t)(SCOPE_AT_PROJECTS + policy_projects(s->policy));
    size_t most = policy_scopes(s->policy) - first + 1;
    size_t length = strlen(kind);

    *out = (struct readable){.all = session_may(s, a, SCOPE_AT_PROJECTS + project)};
    out->only.items = arena_alloc(arena, most * sizeof(const char *));
    out->except.items = arena_alloc(arena, most * sizeof(const char *));
    for (uint32_t scope = first; scope < policy_scopes(s->policy); scope++) {
        const struct policy_asset *asset = policy_asset(s->policy, scope);
        bool may;

        if (asset->project != project || strncmp(asset->name, kind, length) != 0)
            continue;
        may = session_may(s, a, scope);
        if (may && !out->all)
            append(&out->only, asset->name + length);
        else if (!may && out->all)
            append(&out->except, asset->name + length);
    }
}
