/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/snapshot.h"

#include "auth/policy_store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHARDS = 16 };

struct slot {
    struct slot *next;
    struct policy *policy;
};

static struct shard {
    _Alignas(64) pthread_mutex_t lock;
    struct slot *first;
} shards[SHARDS];

static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_llong seen_ms = -(SNAPSHOT_BLIND_MS + 1);
static atomic_ullong unsettled;

static void prepare(void)
{
    for (size_t i = 0; i < SHARDS; i++)
        (void)pthread_mutex_init(&shards[i].lock, NULL);
}

static struct shard *shard_of(const char *tenant_id)
{
    unsigned h = 0;

    (void)pthread_once(&once, prepare);
    for (const char *c = tenant_id; *c != '\0'; c++)
        h = 31 * h + (unsigned char)*c;
    return &shards[h % SHARDS];
}

/* The link to the tenant's slot, or the last one, to NULL. */
static struct slot **find(struct shard *s, const char *tenant_id)
{
    struct slot **at = &s->first;

    while (*at != NULL && strcmp(policy_tenant_id((*at)->policy), tenant_id) != 0)
        at = &(*at)->next;
    return at;
}

static struct policy *known(const char *tenant_id)
{
    struct shard *s = shard_of(tenant_id);
    struct policy *p = NULL;
    struct slot *slot;

    (void)pthread_mutex_lock(&s->lock);
    slot = *find(s, tenant_id);
    if (slot != NULL)
        p = policy_hold(slot->policy);
    (void)pthread_mutex_unlock(&s->lock);
    return p;
}

bool snapshot_has(const char *tenant_id)
{
    struct policy *p = known(tenant_id);

    bool has = p != NULL;

    policy_drop(p);
    return has;
}

bool snapshot_older(const char *tenant_id, int64_t epoch)
{
    struct policy *p = known(tenant_id);
    bool older = p != NULL && policy_epoch(p) != epoch;

    policy_drop(p);
    return older;
}

/* Word of a change that came while this was loaded found the tenant known, and renews it, or not
 * known, and did nothing: then this may be too old to begin with. Over an older one it is right. */
static void keep(struct policy *p, bool settled)
{
    struct shard *s = shard_of(policy_tenant_id(p));
    struct policy *old = NULL;
    struct slot **at;

    (void)pthread_mutex_lock(&s->lock);
    at = find(s, policy_tenant_id(p));
    if (*at == NULL && settled && (*at = calloc(1, sizeof(**at))) != NULL)
        (*at)->policy = policy_hold(p);
    else if (*at != NULL && policy_epoch((*at)->policy) < policy_epoch(p)) {
        old = (*at)->policy;
        (*at)->policy = policy_hold(p);
    }
    (void)pthread_mutex_unlock(&s->lock);
    policy_drop(old);
}

static enum err load(struct db *db, const char *tenant_id, struct policy **out)
{
    unsigned long long before = atomic_load(&unsettled);
    enum err e = policy_load(db, tenant_id, out);

    if (e == OK)
        keep(*out, atomic_load(&unsettled) == before);
    return e;
}

/* p, or what has taken its place; takes p. */
static enum err renew(struct db *db, const char *tenant_id, struct policy *p, struct policy **out)
{
    int64_t epoch = 0;
    enum err e = p == NULL ? OK : policy_epoch_read(db, tenant_id, &epoch);

    *out = NULL;
    if (p != NULL && e == OK && epoch == policy_epoch(p)) {
        *out = p;
        return OK;
    }
    policy_drop(p);
    if (e != OK) {
        snapshot_forget(tenant_id);
        return e;
    }
    return load(db, tenant_id, out);
}

enum err snapshot_take(struct db *db, const char *tenant_id, struct policy **out)
{
    struct policy *p = known(tenant_id);

    if (p != NULL && time_steady_ms() - atomic_load(&seen_ms) <= SNAPSHOT_BLIND_MS) {
        *out = p;
        return OK;
    }
    return renew(db, tenant_id, p, out);
}

enum err snapshot_renew(struct db *db, const char *tenant_id, struct policy **out)
{
    return renew(db, tenant_id, known(tenant_id), out);
}

static void free_slots(struct slot *s)
{
    while (s != NULL) {
        struct slot *next = s->next;

        policy_drop(s->policy);
        free(s);
        s = next;
    }
}

static void forget_one(const char *tenant_id)
{
    struct shard *s = shard_of(tenant_id);
    struct slot **at;
    struct slot *gone;

    (void)pthread_mutex_lock(&s->lock);
    at = find(s, tenant_id);
    gone = *at;
    if (gone != NULL) {
        *at = gone->next;
        gone->next = NULL;
    }
    (void)pthread_mutex_unlock(&s->lock);
    free_slots(gone);
}

static void forget_shard(struct shard *s)
{
    struct slot *gone;

    (void)pthread_mutex_lock(&s->lock);
    gone = s->first;
    s->first = NULL;
    (void)pthread_mutex_unlock(&s->lock);
    free_slots(gone);
}

void snapshot_forget(const char *tenant_id)
{
    (void)pthread_once(&once, prepare);
    snapshot_unsettle();
    if (tenant_id != NULL) {
        forget_one(tenant_id);
        return;
    }
    for (size_t i = 0; i < SHARDS; i++)
        forget_shard(&shards[i]);
}

void snapshot_unsettle(void)
{
    atomic_fetch_add(&unsettled, 1);
}

void snapshot_seen(int64_t steady_ms)
{
    atomic_store(&seen_ms, steady_ms == 0 ? -(long long)SNAPSHOT_BLIND_MS - 1 : steady_ms);
}
