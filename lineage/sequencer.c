/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/sequencer.h"

#include "core/log.h"
#include "lineage/audit.h"
#include "lineage/guard.h"
#include "lineage/sequencer_step.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    IDLE_MS = 100,       /* between looks for work when nobody wakes us */
    ROUND_MS = 200,      /* least time between rounds: entries of a busy log share a checkpoint */
    COMPLAIN_MS = 30000, /* between log lines about the same trouble */
    DRAIN_MS = 3000,     /* how long the last round may take */
    STALE_MS = 120000,   /* without a good round nothing may change */
    BROKEN_MAX = 1024,
    AGAIN_MS = 5000, /* between looks at broken logs: a restore or a restart may have mended them */
    PATH_ROOM = 4096,
};

QUERY(sequencer_work, "SELECT tenant_id FROM audit_due($1::int)");

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* on CLOCK_MONOTONIC */
    pthread_t thread;
    bool stop;
    bool woken;
    size_t broken_count; /* may exceed BROKEN_MAX: then no log is available */
    char broken[BROKEN_MAX][ID_SIZE];
    struct refusal refusals[BROKEN_MAX];
    /* of the thread */
    struct db db;
    struct sequencer_place place;
    char dir[PATH_ROOM];
    char host[256];
    int64_t complained;
    int64_t looked;           /* at a broken log */
    int64_t last_round_until; /* 0 before the last round */
} it = {.lock = PTHREAD_MUTEX_INITIALIZER};

static atomic_llong entries, checkpoints, good_round;
static atomic_size_t broken_logs;
static atomic_bool running;

bool sequencer_refuses(const char *tenant, struct refusal *out)
{
    bool found = false;

    if (atomic_load(&broken_logs) == 0)
        return false;
    (void)pthread_mutex_lock(&it.lock);
    for (size_t i = 0; i < it.broken_count && i < BROKEN_MAX && !found; i++) {
        found = strcmp(it.broken[i], tenant) == 0;
        if (found)
            *out = it.refusals[i];
    }
    if (!found && it.broken_count > BROKEN_MAX) {
        *out = (struct refusal){.why = "more logs than can be told apart must not go on"};
        found = true;
    }
    (void)pthread_mutex_unlock(&it.lock);
    return found;
}

static bool is_broken(const char *tenant)
{
    struct refusal ignored;

    return sequencer_refuses(tenant, &ignored);
}

static void mark_broken(const char *tenant, const char *why)
{
    if (is_broken(tenant))
        return;
    log_ours("the audit log of tenant %s must not go on: %s", tenant, why);
    (void)pthread_mutex_lock(&it.lock);
    if (it.broken_count < BROKEN_MAX) {
        struct refusal *r = &it.refusals[it.broken_count];

        (void)snprintf(it.broken[it.broken_count], ID_SIZE, "%s", tenant);
        (void)snprintf(r->why, sizeof(r->why), "%s", why);
        r->since_ms = time_now_ms();
    }
    it.broken_count++;
    atomic_store(&broken_logs, it.broken_count);
    (void)pthread_mutex_unlock(&it.lock);
}

static void mark_mended(const char *tenant)
{
    (void)pthread_mutex_lock(&it.lock);
    for (size_t i = 0; i < it.broken_count && it.broken_count <= BROKEN_MAX; i++)
        if (strcmp(it.broken[i], tenant) == 0) {
            memcpy(it.broken[i], it.broken[--it.broken_count], ID_SIZE);
            it.refusals[i] = it.refusals[it.broken_count];
            log_info("the audit log of tenant %s goes on", tenant);
        }
    atomic_store(&broken_logs, it.broken_count);
    (void)pthread_mutex_unlock(&it.lock);
}

bool audit_available(const char *tenant_id)
{
    if (atomic_load(&running) && time_steady_ms() - atomic_load(&good_round) > STALE_MS)
        return false;
    if (tenant_id == NULL)
        return atomic_load(&broken_logs) == 0;
    return *tenant_id == '\0' || !is_broken(tenant_id);
}

struct sequencer_status sequencer_status(void)
{
    return (struct sequencer_status){
        .entries = atomic_load(&entries),
        .checkpoints = atomic_load(&checkpoints),
        .broken = (int64_t)atomic_load(&broken_logs),
        .idle_ms = time_steady_ms() - atomic_load(&good_round),
    };
}

const struct sequencer_place *sequencer_place(void)
{
    return &it.place;
}

static void complain(const char *tenant, enum err e)
{
    int64_t now = time_steady_ms();

    if (it.complained != 0 && now - it.complained < COMPLAIN_MS)
        return;
    it.complained = now;
    log_ours("sequencer: tenant %s: %s", tenant, err_meaning(e));
}

static bool stopping(void)
{
    bool stop;

    (void)pthread_mutex_lock(&it.lock);
    stop = it.stop;
    (void)pthread_mutex_unlock(&it.lock);
    return stop;
}

/* The end of the round has come: the service stops, and this is not the last round or it takes too
 * long. What is left is done after the next start. */
static bool late(void)
{
    return stopping() && (it.last_round_until == 0 || time_steady_ms() > it.last_round_until);
}

/* One step with an arena of its own; a log that must not go on is no error of the round. */
static enum err take(struct step *s, enum err (*what)(struct step *s))
{
    struct arena *a = arena_new();
    enum err e;

    s->db->arena = a;
    e = what(s);
    if (e == ERR_CONTENT && s->broken != NULL)
        mark_broken(s->tenant, s->broken);
    else if (e != OK)
        complain(s->tenant, e);
    s->db->arena = NULL;
    arena_free(a);
    return e;
}

static enum err serve_tenant(const char *tenant)
{
    struct step s = {.place = &it.place, .db = &it.db, .tenant = tenant};
    enum err e = OK;

    if (is_broken(tenant))
        return OK;
    do {
        e = take(&s, step_grow);
        if (e == OK)
            atomic_fetch_add(&entries, (long long)s.placed);
    } while (e == OK && s.more && !late());
    if (e == OK)
        e = take(&s, step_sign);
    if (e == OK && s.published)
        atomic_fetch_add(&checkpoints, 1);
    return e == ERR_CONTENT && s.broken != NULL ? OK : e;
}

/* Whether logs that were broken fit again what was signed, which is asked now and then. */
static void look_again(void)
{
    char tenant[ID_SIZE];

    if (atomic_load(&broken_logs) == 0 || time_steady_ms() - it.looked < AGAIN_MS)
        return;
    it.looked = time_steady_ms();
    for (size_t i = it.broken_count; i-- > 0 && i < BROKEN_MAX && !late();) {
        struct step s = {.place = &it.place, .db = &it.db, .tenant = tenant};

        memcpy(tenant, it.broken[i], ID_SIZE); /* only this thread writes the list */
        if (take(&s, step_check) == OK)
            mark_mended(tenant);
    }
}

struct work {
    PGresult *tenants;
};

static enum err find_work(void *arg)
{
    struct work *w = arg;

    return db_rows(&it.db, &sequencer_work, &w->tenants, PARAMS(P_INT(it.place.idle_s)));
}

static void one_round(void)
{
    struct arena *a = arena_new();
    struct work w = {.tenants = NULL};
    enum err e;

    it.db.arena = a;
    e = db_tx(&it.db, TX_POINT, NULL, find_work, &w);
    if (e != OK)
        complain("(all)", e);
    for (int i = 0; e == OK && i < PQntuples(w.tenants) && !late(); i++)
        e = serve_tenant(PQgetvalue(w.tenants, i, 0));
    it.db.arena = NULL;
    arena_free(a);
    if (e == OK)
        atomic_store(&good_round, time_steady_ms());
}

static struct timespec after_ms(int64_t ms)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += ms % 1000 * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

/* Until ms have passed, somebody wakes us (if that counts), or the end. */
static void rest(int64_t ms, bool wakeable)
{
    struct timespec until = after_ms(ms);
    int waited = 0;

    (void)pthread_mutex_lock(&it.lock);
    while (!it.stop && !(wakeable && it.woken) && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&it.changed, &it.lock, &until);
    if (wakeable)
        it.woken = false;
    (void)pthread_mutex_unlock(&it.lock);
}

static void *run(void *unused)
{
    (void)unused;
    while (!stopping()) {
        int64_t begun = time_steady_ms(), spent;

        look_again();
        one_round();
        spent = time_steady_ms() - begun;
        if (spent < ROUND_MS)
            rest(ROUND_MS - spent, false);
        rest(IDLE_MS, true);
    }
    it.last_round_until = time_steady_ms() + DRAIN_MS;
    one_round(); /* what was committed while requests drained */
    db_close(&it.db);
    return NULL;
}

/* The host of https://host:port/path, without its port: an origin must outlive a move to another
 * port, and only names the log. */
static void set_host(const char *url)
{
    const char *host = strstr(url, "://");
    size_t length;

    host = host == NULL ? url : host + 3;
    length = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");
    (void)snprintf(it.host, sizeof(it.host), "%.*s", (int)length, host);
}

static enum err check_guard(void *unused, const char *tenant)
{
    struct step s = {.place = &it.place, .db = &it.db, .tenant = tenant};
    enum err e = take(&s, step_check);

    (void)unused;
    return e == ERR_CONTENT && s.broken != NULL ? OK : e;
}

static void prepare(const struct service *service)
{
    (void)snprintf(it.dir, sizeof(it.dir), "%s/audit", service->home);
    set_host(service->url);
    it.place = (struct sequencer_place){
        .dir = it.dir,
        .host = it.host,
        .key = service->key,
        .idle_s = service->config == NULL ? 3600 : service->config->audit_idle_seconds,
    };
    it.db = (struct db){.conninfo = service->conninfo};
    it.stop = it.woken = false;
    it.last_round_until = it.complained = 0;
    it.broken_count = 0;
    atomic_store(&broken_logs, 0);
    atomic_store(&good_round, time_steady_ms());
}

enum err sequencer_start(const struct service *service)
{
    pthread_condattr_t attributes;
    enum err e;

    prepare(service);
    e = guard_open(it.dir);
    if (e == OK)
        e = guard_each(it.dir, check_guard, NULL);
    if (e != OK) {
        db_close(&it.db);
        return e;
    }
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&it.changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    atomic_store(&running, pthread_create(&it.thread, NULL, run, NULL) == 0);
    return atomic_load(&running) ? OK : ERR_INTERNAL;
}

void sequencer_stop(void)
{
    if (!atomic_load(&running))
        return;
    (void)pthread_mutex_lock(&it.lock);
    it.stop = true;
    (void)pthread_cond_broadcast(&it.changed);
    (void)pthread_mutex_unlock(&it.lock);
    (void)pthread_join(it.thread, NULL);
    (void)pthread_cond_destroy(&it.changed);
    atomic_store(&running, false);
}

void sequencer_wake(void)
{
    bool known;

    /* Every change comes by here, but one call is enough until the next look for work. */
    (void)pthread_mutex_lock(&it.lock);
    known = it.woken;
    it.woken = true;
    if (!known && atomic_load(&running))
        (void)pthread_cond_signal(&it.changed);
    (void)pthread_mutex_unlock(&it.lock);
}
