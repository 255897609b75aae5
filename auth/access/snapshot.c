/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/snapshot.h"

#include "auth/access/lease.h"
#include "auth/access/policy_store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHARDS = 64 };

struct slot {
    struct slot *next;
    struct policy *policy;
};

static struct shard {
    _Alignas(64) pthread_mutex_t lock;
    struct slot *first;
    atomic_ullong words;     /* of changes that have come */
    pthread_mutex_t loading; /* held by the one thread that loads */
} shards[SHARDS];

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void prepare(void)
{
    for (size_t i = 0; i < SHARDS; i++) {
        (void)pthread_mutex_init(&shards[i].lock, NULL);
        (void)pthread_mutex_init(&shards[i].loading, NULL);
    }
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

bool snapshot_is(const char *tenant_id, int64_t epoch)
{
    struct policy *p = known(tenant_id);
    bool is = p != NULL && policy_epoch(p) == epoch;

    policy_drop(p);
    return is;
}

/* Word of a change that came while this was loaded took away what was known: then this may be too
 * old to begin with. Over an older one it is right. */
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

/* Unless another thread has just loaded it. The shard is locked for loading. */
static enum err load_once(struct db *db, const char *tenant_id, int64_t least, struct policy **out)
{
    struct shard *s = shard_of(tenant_id);
    unsigned long long before = atomic_load(&s->words);
    enum err e;

    *out = known(tenant_id);
    if (*out != NULL && policy_epoch(*out) >= least)
        return OK;
    policy_drop(*out);
    *out = NULL;
    e = policy_load(db, tenant_id, out);
    if (e == OK)
        keep(*out, atomic_load(&s->words) == before);
    return e;
}

static enum err load(struct db *db, const char *tenant_id, int64_t least, struct policy **out)
{
    struct shard *s = shard_of(tenant_id);
    enum err e;

    (void)pthread_mutex_lock(&s->loading);
    e = load_once(db, tenant_id, least, out);
    (void)pthread_mutex_unlock(&s->loading);
    return e;
}

/* p if it is of the database's epoch, or what has taken its place; takes p. */
static enum err renew(struct db *db, const char *tenant_id, struct policy *p, struct policy **out)
{
    int64_t epoch = 0;
    enum err e = policy_epoch_read(db, tenant_id, &epoch);

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
    return load(db, tenant_id, epoch, out);
}

enum err snapshot_take(struct db *db, const char *tenant_id, struct policy **out)
{
    bool live = lease_live(); /* before: what is in memory by then is as new as the lease */
    struct policy *p = known(tenant_id);

    if (!live)
        return renew(db, tenant_id, p, out);
    if (p == NULL)
        return load(db, tenant_id, 0, out);
    *out = p;
    return OK;
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
    if (tenant_id != NULL) {
        atomic_fetch_add(&shard_of(tenant_id)->words, 1);
        forget_one(tenant_id);
        return;
    }
    (void)pthread_once(&once, prepare);
    for (size_t i = 0; i < SHARDS; i++) {
        atomic_fetch_add(&shards[i].words, 1);
        forget_shard(&shards[i]);
    }
}

void snapshot_moved(const char *tenant_id, int64_t epoch)
{
    struct policy *p;

    atomic_fetch_add(&shard_of(tenant_id)->words, 1);
    p = known(tenant_id);
    if (p != NULL && policy_epoch(p) < epoch)
        forget_one(tenant_id);
    policy_drop(p);
}
