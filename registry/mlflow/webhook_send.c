/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/webhook.h"

#include "auth/outbound.h"
#include "core/log.h"
#include "lineage/background.h"

#include <openssl/crypto.h>
#include <string.h>

enum { PAUSE_MS = 500, BATCH = 20, BODY_MAX = 1 << 24, TOO_MANY = 429, SERVER_ERROR = 500 };

static void deliver(struct background *b);
static struct background it = {.name = "webhooks", .round = deliver, .pause_ms = PAUSE_MS};
static const uint8_t *key;

const char *webhook_seal_place(struct arena *a, const char *tenant, const char *id)
{
    return arena_printf(a, "webhook:%s:%s", tenant, id);
}

enum err webhook_seal(struct arena *a, const char *tenant, const char *id, const char *secret,
                      const char **sealed)
{
    uint8_t bytes[WEBHOOK_SECRET_MAX + SEAL_OVERHEAD];
    size_t length = strlen(secret);
    char *hex = arena_alloc(a, 2 * sizeof(bytes) + 1);

    TRY(seal(key, webhook_seal_place(a, tenant, id), secret, length, bytes));
    hex_encode(bytes, length + SEAL_OVERHEAD, hex);
    *sealed = hex;
    return OK;
}

/* mlflow/webhooks/delivery.py: "v1," and the HMAC-SHA256 over "id.timestamp.body". */
static enum err sign(struct arena *a, const char *tenant, const struct webhook_due *d,
                     const char *message, const char **out)
{
    uint8_t sealed[WEBHOOK_SECRET_MAX + SEAL_OVERHEAD];
    uint8_t secret[WEBHOOK_SECRET_MAX];
    size_t length = strlen(d->sealed) / 2;
    struct digest mac;

    if (length <= SEAL_OVERHEAD || length > sizeof(sealed) ||
        !hex_decode(d->sealed, sealed, length) ||
        unseal(key, webhook_seal_place(a, tenant, d->webhook), sealed, length, secret) != OK)
        return ERR_INTERNAL;
    mac = hmac_sha256(secret, length - SEAL_OVERHEAD, message, strlen(message));
    OPENSSL_cleanse(secret, sizeof(secret));
    *out = arena_printf(a, "X-MLflow-Signature: v1,%s",
                        base64_encode(a, mac.bytes, sizeof(mac.bytes)));
    return OK;
}

/* The payload is JSON of ours; the names around it are too. */
static const char *body_of(struct arena *a, const struct webhook_due *d)
{
    int entity = (int)strcspn(d->event, ".");
    char at[TIME_SIZE];

    time_format(time_now_ms(), at);
    return arena_printf(a,
                        "{\"entity\": \"%.*s\", \"action\": \"%s\", \"timestamp\": \"%s\", "
                        "\"data\": %s, \"workspace\": \"%s\"}",
                        entity, d->event, d->event + entity + 1, at, d->payload, d->project);
}

enum err webhook_send(struct arena *a, const char *tenant, const struct webhook_due *d,
                      struct webhook_answer *out)
{
    const char *now = arena_printf(a, "%lld", (long long)(time_now_ms() / 1000));
    const char *body = body_of(a, d);
    const char *headers[] = {"Content-Type: application/json",
                             arena_printf(a, "X-MLflow-Delivery-Id: %s", d->delivery),
                             arena_printf(a, "X-MLflow-Timestamp: %s", now), NULL, NULL};
    struct outbound o = {.url = d->url, .json = body, .headers = headers};
    struct outbound_reply reply;
    enum err e;

    *out = (struct webhook_answer){.body = "", .why = "the secret does not open"};
    if (d->sealed != NULL)
        TRY(sign(a, tenant, d, arena_printf(a, "%s.%s.%s", d->delivery, now, body), &headers[3]));
    e = outbound_send(a, &o, &reply, &out->why);
    out->status = reply.status;
    out->body = reply.body;
    return e;
}

struct round {
    struct db *db;
    struct rows due;
    const struct webhook_due *one;
};

static enum err claim(void *arg)
{
    struct round *r = arg;

    return webhook_claim(r->db, BATCH, &r->due);
}

/* Tried again: no answer, too many requests, and what went wrong on the other side. */
static enum err attempt(void *arg)
{
    struct round *r = arg;
    struct webhook_answer answer;
    enum err e = webhook_send(r->db->arena, r->db->tenant, r->one, &answer);
    bool good = e == OK && answer.status >= 200 && answer.status < 300;
    bool again = (e == ERR_UNAVAILABLE || e == ERR_RATE ||
                  (e == OK && (answer.status == TOO_MANY || answer.status >= SERVER_ERROR))) &&
                 r->one->attempts < WEBHOOK_ATTEMPTS;
    const char *problem = NULL;

    if (!good)
        problem = e == OK ? arena_printf(r->db->arena, "the webhook answered %ld", answer.status)
                          : answer.why;
    if (!good)
        log_world("webhook %s of tenant %s: %s", r->one->webhook, r->db->tenant, problem);
    return webhook_outcome(r->db, r->one,
                           good    ? "delivered"
                           : again ? "pending"
                                   : "failed",
                           answer.status, problem);
}

static void serve_tenant(struct background *b, const char *tenant)
{
    struct round r = {.db = &b->db};

    if (db_tx(&b->db, TX_POINT, tenant, claim, &r) != OK)
        return;
    for (size_t i = 0; i < r.due.count && !background_stopping(b); i++) {
        r.one = (const struct webhook_due *)r.due.items + i;
        if (db_tx(&b->db, TX_POINT, tenant, attempt, &r) != OK)
            return;
    }
}

QUERY(webhook_work_sql, "SELECT tenant_id FROM webhook_work()");

static void deliver(struct background *b)
{
    background_tenants(b, &webhook_work_sql, serve_tenant);
}

enum err webhook_start(const struct service *service)
{
    key = service->key;
    return background_start(&it, service->conninfo);
}

void webhook_stop(void)
{
    background_stop(&it);
}
