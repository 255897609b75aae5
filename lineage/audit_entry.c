/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/audit_entry.h"

#include "lineage/canonical.h"
#include "lineage/jsontext.h"

#include <openssl/crypto.h>
#include <string.h>

enum {
    WORD_MAX = 255,
    OBJECT_MAX = 4096,
    FAILURE_MAX = 4096,
    LEAF_MAX = 65535,
    STATEMENT_MAX = 56 << 10,
    PAYLOAD_MAX = 8 * AUDIT_BODY_MAX,
};

static const char *const secret_names[] = {
    "password", "code",         "token",         "client_secret", "new",
    "current",  "access_token", "refresh_token", "secret",        "bootstrap_code",
};

static bool secret_name(const char *name)
{
    for (size_t i = 0; i < sizeof(secret_names) / sizeof(secret_names[0]); i++)
        if (strcmp(name, secret_names[i]) == 0)
            return true;
    return false;
}

static void release_json(void *json)
{
    json_decref(json);
}

/* Whether any member at any depth bears a secret's name; if hide, its value is replaced. Bodies
 * that were refused may have any shape. The parser bounds the depth. */
static bool has_secret(json_t *value, bool hide)
{
    bool found = false;
    const char *name;
    json_t *item;
    size_t i;

    json_array_foreach(value, i, item)
    {
        found = has_secret(item, hide) || found;
    }
    json_object_foreach(value, name, item)
    {
        if (!secret_name(name)) {
            found = has_secret(item, hide) || found;
            continue;
        }
        found = true;
        if (hide)
            json_object_set_new(value, name, json_string("[redacted]"));
    }
    return found;
}

/* A body without what must not be written down. */
static const json_t *redacted(struct arena *a, const json_t *body)
{
    json_t *copy;

    /* Not changed: hide is false. */
    if (!has_secret((json_t *)(uintptr_t)body, false)) /* NOLINT(performance-no-int-to-ptr) */
        return body;
    copy = json_deep_copy(body);
    arena_own(a, copy, release_json);
    (void)has_secret(copy, true);
    return copy;
}

/* ,"name":value. What is too large is kept as the text of its beginning. */
static void add_json(struct arena *a, struct text *out, const char *name, const json_t *value)
{
    struct text json = text_new(AUDIT_BODY_MAX);

    if (value == NULL)
        return;
    text_printf(out, ",\"%s\":", name);
    if (canonical_json(value, &json) == OK)
        text_add(out, json.data, json.length);
    else
        json_add_text(out, text_clean(a, json.data, AUDIT_BODY_MAX));
    if (json.data != NULL)
        OPENSSL_cleanse(json.data, json.length);
    text_free(&json);
}

static void add_optional(struct text *out, const char *name, const char *value)
{
    if (*value != '\0')
        json_add_member(out, false, name, value);
}

static const char *payload_text(struct arena *a, const struct audit_event *e)
{
    struct text t = text_new(PAYLOAD_MAX);
    const char *payload;

    text_puts(&t, "{");
    json_add_member(&t, true, "actor", text_clean(a, e->actor, WORD_MAX));
    add_json(a, &t, "body", e->body == NULL ? NULL : redacted(a, e->body));
    add_json(a, &t, "detail", e->detail);
    add_optional(&t, "failure", text_clean(a, e->failure, FAILURE_MAX));
    add_optional(&t, "object", text_clean(a, e->named, OBJECT_MAX));
    add_optional(&t, "remote", text_clean(a, e->remote, WORD_MAX));
    add_json(a, &t, "response", e->response == NULL ? NULL : redacted(a, e->response));
    add_optional(&t, "tenant", text_clean(a, e->tenant, WORD_MAX));
    text_puts(&t, "}");
    payload = t.failed ? "{}" : arena_copy(a, t.data, t.length);
    text_free(&t);
    return payload;
}

/* Members in the order of RFC 8785, so that no sorting is needed. */
static const char *leaf_text(struct arena *a, const char *tenant_id, const struct audit_event *e,
                             const struct audit_made *m, const struct digest *commit)
{
    struct text t = text_new(LEAF_MAX);
    char hex[2 * SHA256_SIZE + 1];
    const char *leaf;

    hex_encode(commit->bytes, SHA256_SIZE, hex);
    text_puts(&t, "{");
    json_add_member(&t, true, "action", text_clean(a, e->action, WORD_MAX));
    json_add_member(&t, false, "actor", m->actor == NULL ? "" : m->actor);
    json_add_member(&t, false, "at", m->at);
    json_add_member(&t, false, "commit", hex);
    json_add_member(&t, false, "id", m->id);
    json_add_member(&t, false, "method", text_clean(a, e->method, WORD_MAX));
    json_add_member(&t, false, "object", m->object);
    json_add_member(&t, false, "outcome", err_slug(e->outcome));
    json_add_member(&t, false, "project", m->project);
    json_add_member(&t, false, "request", e->request);
    if (e->statement != NULL)
        json_add_member(&t, false, "statement", text_clean(a, e->statement, STATEMENT_MAX));
    text_printf(&t, ",\"status\":%u", e->status);
    json_add_member(&t, false, "tenant", tenant_id);
    text_puts(&t, ",\"v\":1}");
    leaf = arena_copy(a, t.data, t.length);
    text_free(&t);
    return leaf;
}

void audit_make(struct arena *a, const char *tenant_id, const struct audit_event *e,
                struct audit_made *out)
{
    struct digest commit;

    id_new(out->id);
    time_format(time_now_ms(), out->at);
    random_bytes(out->salt, sizeof(out->salt));
    out->actor = e->actor_id == NULL || *e->actor_id == '\0' ? NULL : e->actor_id;
    out->project = text_clean(a, e->project, WORD_MAX);
    out->object = text_clean(a, e->object, OBJECT_MAX);
    out->payload = payload_text(a, e);
    commit = hmac_sha256(out->salt, sizeof(out->salt), out->payload, strlen(out->payload));
    out->leaf = leaf_text(a, tenant_id, e, out, &commit);
    out->hash = merkle_leaf(out->leaf, strlen(out->leaf));
}

const struct field audit_row_fields[] = {
    INT(struct audit_row, seq, 0, INT64_MAX),
    INT(struct audit_row, index, -1, INT64_MAX),
    INT(struct audit_row, at_ms, 0, INT64_MAX),
    TEXT(struct audit_row, id, 36),
    OPT_TEXT(struct audit_row, actor, 36),
    TEXT(struct audit_row, action, WORD_MAX),
    OPT_TEXT(struct audit_row, project, WORD_MAX),
    OPT_TEXT(struct audit_row, object, OBJECT_MAX),
    TEXT(struct audit_row, outcome, WORD_MAX),
    TEXT(struct audit_row, request, 36),
    TEXT(struct audit_row, leaf, LEAF_MAX),
    TEXT(struct audit_row, leaf_hash, 64),
    OPT_TEXT(struct audit_row, hash, 64),
    OPT_TEXT(struct audit_row, sealed, INT64_C(4) * PAYLOAD_MAX),
    OPT_TEXT(struct audit_row, key_id, 36),
    OPT_TEXT(struct audit_row, key_subject, WORD_MAX),
    OPT_TEXT(struct audit_row, key_wrapped, WORD_MAX),
    OPT_TEXT(struct audit_row, about_id, 36),
    OPT_TEXT(struct audit_row, about_subject, WORD_MAX),
    OPT_TEXT(struct audit_row, about_wrapped, WORD_MAX),
    FIELDS_END,
};

static bool says(const json_t *leaf, const char *name, const char *column)
{
    const char *text = json_string_value(json_object_get(leaf, name));

    return text != NULL && strcmp(text, column == NULL ? "" : column) == 0;
}

static bool columns_fit(const struct audit_row *row, const json_t *leaf)
{
    const char *at = json_string_value(json_object_get(leaf, "at"));
    int64_t ms;

    return at != NULL && time_parse(at, &ms) && ms == row->at_ms && says(leaf, "id", row->id) &&
           says(leaf, "actor", row->actor) && says(leaf, "action", row->action) &&
           says(leaf, "project", row->project) && says(leaf, "object", row->object) &&
           says(leaf, "outcome", row->outcome) && says(leaf, "request", row->request);
}

static bool payload_fits(const struct audit_row *row, const json_t *leaf)
{
    uint8_t salt[AUDIT_SALT];
    char hex[2 * SHA256_SIZE + 1];
    struct digest commit;

    if (row->payload == NULL && row->salt == NULL)
        return !row->spoilt;
    if (row->payload == NULL || row->salt == NULL || !hex_decode(row->salt, salt, sizeof(salt)))
        return false;
    commit = hmac_sha256(salt, sizeof(salt), row->payload, strlen(row->payload));
    hex_encode(commit.bytes, SHA256_SIZE, hex);
    return says(leaf, "commit", hex);
}

const char *audit_fault(struct arena *a, const struct audit_row *row, json_t **leaf)
{
    struct digest hash = merkle_leaf(row->leaf, strlen(row->leaf));
    char hex[2 * SHA256_SIZE + 1];

    *leaf = json_loads(row->leaf, JSON_REJECT_DUPLICATES, NULL);
    if (*leaf != NULL)
        arena_own(a, *leaf, release_json);
    hex_encode(hash.bytes, SHA256_SIZE, hex);
    if (strcmp(hex, row->leaf_hash) != 0 || !json_is_object(*leaf))
        return "leaf";
    if (row->index >= 0 && (row->hash == NULL || strcmp(row->hash, hex) != 0))
        return "tree";
    if (!columns_fit(row, *leaf))
        return "columns";
    return payload_fits(row, *leaf) ? NULL : "payload";
}
