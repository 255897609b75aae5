/* SPDX-License-Identifier: Apache-2.0 */
#include "core/request.h"
#include "lineage/routes.h"
#include "lineage/sequencer.h"
#include "lineage/sequencer_step.h"
#include "lineage/sink.h"

#include <openssl/crypto.h>
#include <string.h>

static const char *const kinds[] = {"webhook", "syslog", "file", NULL};

struct wanted {
    const char *kind;
    const char *target;
    const char *secret;
    const char *ca;
    int64_t keep;
    int64_t file_bytes;
    int64_t from_index;
};

const struct field sink_put_fields[] = {
    CHOICE(struct wanted, kind, kinds),
    OPT_TEXT(struct wanted, target, 500),
    OPT_TEXT(struct wanted, secret, 200),
    OPT_TEXT(struct wanted, ca, SINK_CA_MAX),
    OPT_INT(struct wanted, keep, 1, 1000),
    OPT_INT(struct wanted, file_bytes, 4096, (int64_t)1 << 40),
    OPT_INT(struct wanted, from_index, 0, INT64_MAX),
    FIELDS_END,
};

/* GET /v1/audit/sinks */
enum err get_audit_sinks(struct request *rq)
{
    struct rows rows;

    TRY(sink_list(rq->db, NULL, &rows));
    return request_reply_list(rq, sink_view_fields, sizeof(struct sink), &rows, NULL);
}

/* GET /v1/audit/sinks/{name} */
enum err get_audit_sink(struct request *rq)
{
    struct rows rows;

    TRY(sink_list(rq->db, rq->args[0], &rows));
    return rows.count == 0 ? ERR_NOT_FOUND : request_reply(rq, sink_view_fields, rows.items);
}

static enum err bad(struct request *rq, const char *member, const char *why)
{
    rq->target = member;
    return fail(rq, ERR_INVALID, "%s %s", member, why);
}

static enum err check_target(struct request *rq, const struct wanted *w)
{
    const char *scheme = strcmp(w->kind, "webhook") == 0 ? "https" : "syslog+tls";
    struct wire_place to;

    if (strcmp(w->kind, "file") == 0)
        return w->target == NULL ? OK : bad(rq, "target", "is not given for a file");
    if (w->target == NULL || !wire_parse(w->target, "443", &to) || strcmp(to.scheme, scheme) != 0)
        return bad(rq, "target",
                   strcmp(w->kind, "webhook") == 0 ? "must be an https:// URL"
                                                   : "must be syslog+tls://HOST:PORT");
    return OK;
}

/* As Standard Webhooks writes them: base64 of 24 to 64 bytes, led by "whsec_" or not. */
static enum err seal_secret(struct request *rq, const struct wanted *w, const char *name,
                            uint8_t *sealed, size_t *length)
{
    static const char prefix[] = "whsec_";
    uint8_t secret[SINK_SECRET_MOST];
    const char *text = w->secret;
    long size;
    enum err e;

    *length = 0;
    if (strcmp(w->kind, "webhook") != 0)
        return text == NULL ? OK : bad(rq, "secret", "is for webhooks only");
    if (text != NULL && strncmp(text, prefix, sizeof(prefix) - 1) == 0)
        text += sizeof(prefix) - 1;
    size = text == NULL ? -1 : base64_decode(text, strlen(text), secret, sizeof(secret));
    if (size < SINK_SECRET_LEAST)
        return bad(rq, "secret", "must be base64 of 24 to 64 random bytes");
    e = seal(sequencer_place()->key, sink_seal_place(rq->db, name), secret, (size_t)size, sealed);
    OPENSSL_cleanse(secret, sizeof(secret));
    *length = (size_t)size + SEAL_OVERHEAD;
    return e;
}

static enum err note_before(struct request *rq, const char *name)
{
    struct rows rows;

    request_object(rq, "audit/sinks/%s", name);
    TRY(sink_list(rq->db, name, &rows));
    if (rows.count > 0)
        request_audit(rq, "before", field_to_json(sink_view_fields, rows.items));
    return OK;
}

/* PUT /v1/audit/sinks/{name} */
enum err put_audit_sink(struct request *rq)
{
    struct wanted w = {.keep = 10, .file_bytes = 64 << 20, .from_index = INT64_MAX};
    uint8_t sealed[SINK_SECRET_MOST + SEAL_OVERHEAD];
    const char *name = rq->args[0];
    struct rows rows;
    struct sink s;
    size_t length;

    TRY(request_read(rq, &w));
    if (!name_valid(name))
        return fail(rq, ERR_INVALID, "the name is not one a sink can have");
    TRY(check_target(rq, &w));
    TRY(seal_secret(rq, &w, name, sealed, &length));
    TRY(note_before(rq, name));
    s = (struct sink){.name = name,
                      .kind = w.kind,
                      .target = w.target == NULL ? "" : w.target,
                      .ca = w.ca,
                      .keep = w.keep,
                      .file_bytes = w.file_bytes,
                      .next = w.from_index};
    TRY(sink_put(rq->db, &s, length == 0 ? NULL : sealed, length));
    TRY(sink_list(rq->db, name, &rows));
    request_audit(rq, "after", field_to_json(sink_view_fields, rows.items));
    return request_reply(rq, sink_view_fields, rows.items);
}

/* DELETE /v1/audit/sinks/{name}: a sink's files stay. */
enum err delete_audit_sink(struct request *rq)
{
    TRY(note_before(rq, rq->args[0]));
    TRY(sink_delete(rq->db, rq->args[0]));
    return request_reply_empty(rq);
}
