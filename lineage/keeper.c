/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/keeper.h"

#include "core/text.h"
#include "lineage/audit.h"
#include "lineage/background.h"
#include "lineage/sequencer.h"

#include <stdlib.h>
#include <string.h>

enum {
    PAUSE_MS = 1000,
    WORDS_AT_ONCE = 2000,
    EXPIRE_AT_ONCE = 5000,
    EXPIRE_MS = 3600 * 1000,
    ROUNDS = 5
};

static void keep(struct background *b);
static struct background it = {.name = "keeper", .round = keep, .pause_ms = PAUSE_MS};
static int64_t expired_at; /* of the thread */
static int expiring;       /* under the lock: rounds to look at every policy in */

QUERY(keeper_indexing, "SELECT tenant_id FROM audit_keeper_work() WHERE indexing");
QUERY(keeper_expiring, "SELECT tenant_id FROM audit_keeper_work() WHERE expiring");

/* The head row's lock lets one replica at a time at it; what it waited for is seen by the next
 * statement only. */
QUERY(keeper_head, "INSERT INTO audit_text_head (tenant_id, size) VALUES ($1::uuid, 0)"
                   " ON CONFLICT (tenant_id) DO UPDATE SET size = audit_text_head.size"
                   " RETURNING size");
QUERY(keeper_words,
      "WITH placed AS (SELECT l.index, l.seq FROM audit_leaf l WHERE l.tenant_id = $1::uuid"
      "               AND l.index >= $2::bigint AND l.index < $2::bigint + $3::bigint),"
      " put AS (INSERT INTO audit_text (tenant_id, seq, words)"
      "   SELECT e.tenant_id, e.seq, audit_words(e.tenant_id, e.object, p.payload) FROM placed"
      "     JOIN audit_entry e ON e.tenant_id = $1::uuid AND e.seq = placed.seq"
      "     JOIN audit_payload p ON p.tenant_id = e.tenant_id AND p.id = e.id"
      "      AND p.payload IS NOT NULL ON CONFLICT DO NOTHING)"
      " UPDATE audit_text_head SET size = size + (SELECT count(*) FROM placed)"
      " WHERE tenant_id = $1::uuid");

static enum err gather(void *arg)
{
    struct db *db = arg;
    PGresult *head;

    TRY(db_rows(db, &keeper_head, &head, PARAMS(P_TEXT(db->tenant))));
    return db_change(db, &keeper_words,
                     PARAMS(P_TEXT(db->tenant), P_INT(strtoll(PQgetvalue(head, 0, 0), NULL, 10)),
                            P_INT(WORDS_AT_ONCE)));
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
