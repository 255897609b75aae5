/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/sink.h"

#include <openssl/crypto.h>
#include <string.h>

enum { BATCH_MAX = 32 << 20, FACILITY_AUDIT = 13, SEVERITY_NOTICE = 5, SEVERITY_WARNING = 4 };

static struct wire_rules rules_of(const struct sink_context *c, const struct sink *s)
{
    return (struct wire_rules){.private_too = c->private_too, .ca = s->ca};
}

static void write_body(const struct sink_batch *b, struct text *out)
{
    text_printf(out, "{\"first\":%lld,\"events\":[", (long long)b->first);
    for (size_t i = 0; i < b->count; i++) {
        text_puts(out, i == 0 ? "" : ",");
        text_puts(out, b->events[i]);
    }
    text_puts(out, "]}");
}

/* Standard Webhooks 1.0: HMAC-SHA256 over "id.timestamp.body". The id is the batch's, so that a
 * receiver can tell what comes twice. */
static enum err sign(struct db *db, const struct sink_context *c, const struct sink *s,
                     const struct sink_batch *b, const struct text *body, const char **headers)
{
    uint8_t sealed[SINK_SECRET_MOST + SEAL_OVERHEAD], secret[SINK_SECRET_MOST];
    size_t length = s->sealed == NULL ? 0 : strlen(s->sealed) / 2;
    long long now = (long long)(time_now_ms() / 1000);
    const char *id =
        arena_printf(db->arena, "%s-%lld-%zu", b->tenant, (long long)b->first, b->count);
    struct text signed_text = text_new(BATCH_MAX);
    struct digest mac;

    if (length <= SEAL_OVERHEAD || length > sizeof(sealed) ||
        !hex_decode(s->sealed, sealed, length) ||
        unseal(c->key, sink_seal_place(db, s->name), sealed, length, secret) != OK)
        return ERR_INTERNAL;
    text_printf(&signed_text, "%s.%lld.", id, now);
    text_add(&signed_text, body->data, body->length);
    mac = hmac_sha256(secret, length - SEAL_OVERHEAD, signed_text.data, signed_text.length);
    OPENSSL_cleanse(secret, sizeof(secret));
    text_free(&signed_text);
    *headers = arena_printf(db->arena,
                            "Content-Type: application/json\r\nwebhook-id: %s\r\n"
                            "webhook-timestamp: %lld\r\nwebhook-signature: v1,%s\r\n",
                            id, now, base64_encode(db->arena, mac.bytes, sizeof(mac.bytes)));
    return OK;
}

static enum err send_webhook(struct db *db, const struct sink_context *c, const struct sink *s,
                             const struct sink_batch *b, char why[WIRE_WHY])
{
    const struct wire_rules rules = rules_of(c, s);
    struct text body = text_new(BATCH_MAX);
    struct wire_answer answer = {.status = 0};
    struct wire_place to;
    const char *headers = "";
    enum err e;

    write_body(b, &body);
    (void)snprintf(why, WIRE_WHY, "the secret does not open");
    e = body.failed ? ERR_TOO_LARGE : sign(db, c, s, b, &body, &headers);
    if (e == OK && !wire_parse(s->target, "443", &to))
        e = ERR_INVALID;
    if (e == OK)
        e = wire_post(&to, &rules, headers, &body, &answer, why);
    if (e == OK && (answer.status < 200 || answer.status > 299)) {
        (void)snprintf(why, WIRE_WHY, "the webhook answered %u", answer.status);
        e = ERR_UNAVAILABLE;
    }
    text_free(&answer.text);
    text_free(&body);
    return e;
}

/* RFC 5424, framed by RFC 6587 §3.4.1 as RFC 5425 asks: "LENGTH MESSAGE". */
static void write_syslog(struct db *db, const struct sink_batch *b, struct text *out)
{
    for (size_t i = 0; i < b->count; i++) {
        int priority = FACILITY_AUDIT * 8 + (b->refused[i] ? SEVERITY_WARNING : SEVERITY_NOTICE);
        const char *message =
            arena_printf(db->arena, "<%d>1 %s - chancery - audit [audit@32473 index=\"%lld\"] %s",
                         priority, b->times[i], (long long)b->first + (long long)i, b->events[i]);

        text_printf(out, "%zu ", strlen(message));
        text_puts(out, message);
    }
}

/* Syslog acknowledges nothing, so a batch counts when the collector has closed after all of it. */
static enum err send_syslog(struct db *db, const struct sink_context *c, const struct sink *s,
                            const struct sink_batch *b, char why[WIRE_WHY])
{
    const struct wire_rules rules = rules_of(c, s);
    struct text lines = text_new(BATCH_MAX);
    struct wire_place to;
    struct wire *w = NULL;
    enum err e;

    write_syslog(db, b, &lines);
    e = !lines.failed && wire_parse(s->target, "6514", &to) ? OK : ERR_INVALID;
    if (e == OK)
        e = wire_open(&to, true, &rules, &w, why);
    if (e == OK) {
        (void)snprintf(why, WIRE_WHY, "the collector did not take it all");
        e = wire_send(w, lines.data, lines.length);
    }
    if (e == OK)
        e = wire_finish(w);
    wire_close(w);
    text_free(&lines);
    return e;
}

enum err sink_send(struct db *db, const struct sink_context *c, const struct sink *s,
                   const struct sink_batch *b, char why[WIRE_WHY])
{
    if (strcmp(s->kind, "file") == 0)
        return sink_file(db, c, s, b, why);
    return strcmp(s->kind, "syslog") == 0 ? send_syslog(db, c, s, b, why)
                                          : send_webhook(db, c, s, b, why);
}
