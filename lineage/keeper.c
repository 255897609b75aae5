/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/keeper.h"

#include "core/text.h"
#include "lineage/audit.h"
#include "lineage/background.h"
#include "lineage/privacy/key_cache.h"
#include "lineage/privacy/search.h"
#include "lineage/sequencer.h"

#include <stdlib.h>
#include <string.h>

enum { PAUSE_MS = 1000, EXPIRE_AT_ONCE = 5000, EXPIRE_MS = 3600 * 1000, ROUNDS = 5 };

static void keep(struct background *b);
static struct background it = {.name = "keeper", .round = keep, .pause_ms = PAUSE_MS};
static int64_t expired_at; /* of the thread */
static int expiring;       /* under the lock: rounds to look at every policy in */

QUERY(keeper_indexing, "SELECT tenant_id FROM audit_keeper_work() WHERE indexing");
QUERY(keeper_expiring, "SELECT tenant_id FROM audit_keeper_work() WHERE expiring");

static enum err gather(void *arg)
{
    return audit_index(arg);
}

static void gather_words(struct background *b, const char *tenant)
{
    if (db_tx(&b->db, TX_WRITE, tenant, gather, &b->db) == OK)
        background_wake(b); /* perhaps there are more; where there are none, none is named */
}

QUERY(keeper_expire, "SELECT audit_expire($1, $2::int)");

struct expiry {
    struct db *db;
    const char *class;
    int64_t gone;
};

/* The payloads of one class whose time is up, and the entry that says so, together. */
static enum err expire(void *arg)
{
    struct expiry *x = arg;
    struct audit_event event = {.actor = "retention",
                                .action = "audit_retention",
                                .method = "POLICY",
                                .object = "audit/retention",
                                .status = 200};
    char request[ID_SIZE];
    PGresult *gone;
    json_t *detail;
    enum err e;

    TRY(db_rows(x->db, &keeper_expire, &gone, PARAMS(P_TEXT(x->class), P_INT(EXPIRE_AT_ONCE))));
    x->gone = strtoll(PQgetvalue(gone, 0, 0), NULL, 10);
    if (x->gone == 0)
        return OK;
    id_new(request);
    detail = json_pack("{s:s, s:I}", "class", x->class, "erased", (json_int_t)x->gone);
    event.request = request;
    event.detail = detail;
    e = audit_record(x->db, &event, NULL);
    json_decref(detail);
    return e;
}

static void forget(struct background *b, const char *tenant)
{
    static const char *const classes[] = {"change", "read", "refusal"};

    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        struct expiry x = {.db = &b->db, .class = classes[i], .gone = EXPIRE_AT_ONCE};

        while (x.gone == EXPIRE_AT_ONCE && audit_available(tenant) && !background_stopping(b))
            if (db_tx(&b->db, TX_WRITE, tenant, expire, &x) != OK)
                return;
    }
    sequencer_wake();
}

static void keep(struct background *b)
{
    bool due;

    key_cache_sweep(KEY_CACHE_MS);
    background_tenants(b, &keeper_indexing, gather_words);
    (void)pthread_mutex_lock(&b->lock);
    due = expiring > 0 || expired_at == 0 || time_steady_ms() - expired_at >= EXPIRE_MS;
    expiring -= expiring > 0;
    (void)pthread_mutex_unlock(&b->lock);
    if (!due)
        return;
    expired_at = time_steady_ms();
    background_tenants(b, &keeper_expiring, forget);
}

enum err keeper_start(const struct service *service)
{
    expired_at = 0;
    return background_start(&it, service->conninfo);
}

void keeper_stop(void)
{
    background_stop(&it);
    key_cache_sweep(0);
}

void keeper_wake(void)
{
    if (it.running) {
        (void)pthread_mutex_lock(&it.lock);
        expiring = ROUNDS; /* the policy is not committed yet */
        (void)pthread_mutex_unlock(&it.lock);
    }
    background_wake(&it);
}
