/* SPDX-License-Identifier: Apache-2.0 */
#include "core/request.h"
#include "lineage/log_key.h"
#include "lineage/routes.h"
#include "lineage/sequencer.h"
#include "lineage/sequencer_step.h"
#include "lineage/witness.h"

#include <openssl/crypto.h>
#include <string.h>

/* The log's keys, for those who verify and for those who replace them. */

enum { OVERLAP_HOURS = 7 * 24, OVERLAP_MAX = 366 * 24, POLICY_MAX = 1 << 20 };

static const char plain[] = "text/plain; charset=utf-8";

static void release_text(void *text)
{
    text_free(text);
}

static enum err vkey_text(struct request *rq, const struct log_key *key, const char **out)
{
    char vkey[NOTE_VKEY_SIZE];
    struct note_key note;

    TRY(note_key(key->origin, key->public, &note));
    note_vkey(&note, vkey);
    *out = arena_text(rq->arena, vkey);
    return OK;
}

static enum err add_logs(struct request *rq, const struct log_keys *keys, struct text *out)
{
    for (size_t i = 0; i < keys->count; i++) {
        const struct log_key *key = &keys->items[i];
        const char *vkey;

        TRY(vkey_text(rq, key, &vkey));
        if (key->until != NULL)
            text_printf(out, "# replaced; signs until %s\n", key->until);
        text_printf(out, "log %s\n", vkey);
    }
    return OK;
}

static enum err add_witnesses(struct request *rq, struct text *out)
{
    const struct witness *witnesses;
    struct rows rows;

    TRY(witness_list(rq->db, &rows));
    witnesses = rows.items;
    for (size_t i = 0; i < rows.count; i++)
        text_printf(out, "witness %s %s %s\n", witnesses[i].name, witnesses[i].vkey,
                    witnesses[i].url);
    if (rows.count > 0)
        text_puts(out, "group witnesses any");
    for (size_t i = 0; i < rows.count; i++)
        text_printf(out, " %s", witnesses[i].name);
    text_puts(out, rows.count > 0 ? "\nquorum witnesses\n" : "quorum none\n");
    return OK;
}

/* GET /v1/audit/log/policy (C2SP tlog-policy): the present key first, then all that ever signed. */
enum err get_audit_policy(struct request *rq)
{
    struct log_keys *keys = arena_alloc(rq->arena, sizeof(*keys));
    struct text *out = arena_alloc(rq->arena, sizeof(*out));
    struct log l;

    *out = text_new(POLICY_MAX);
    arena_own(rq->arena, out, release_text);
    TRY(log_find(rq->db, &l));
    TRY(log_keys_find(rq->db, &l, keys));
    TRY(add_logs(rq, keys, out));
    TRY(add_witnesses(rq, out));
    request_set_header(rq, "Cache-Control", "no-cache");
    return request_reply_bytes(rq, plain, out->data, out->length);
}

/* GET /v1/audit/log/rotations: the notes, each signed by a key, that name the key after it; the
 * oldest first. Whoever trusts the first key comes to the present one by them. */
enum err get_audit_rotations(struct request *rq)
{
    struct log_keys *keys = arena_alloc(rq->arena, sizeof(*keys));
    json_t *list = json_array();
    struct log l;

    arena_own(rq->arena, list, (void (*)(void *))json_decref);
    TRY(log_find(rq->db, &l));
    TRY(log_keys_find(rq->db, &l, keys));
    for (size_t i = keys->count; i-- > 1;) {
        const char *vkey;

        TRY(vkey_text(rq, &keys->items[i], &vkey));
        json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "vkey", vkey, "until",
                                              keys->items[i].until, "statement",
                                              keys->items[i].statement));
    }
    return request_reply_json(rq, json_pack("{s:O}", "value", list));
}

struct rotation {
    int64_t overlap_hours;
};

const struct field rotation_fields[] = {
    OPT_INT(struct rotation, overlap_hours, 0, OVERLAP_MAX),
    FIELDS_END,
};

static enum err sign_statement(struct request *rq, const struct log_key *old, const char *body,
                               struct text *note)
{
    uint8_t secret[ED25519_KEY];
    struct note_key name;
    enum err e = note_key(old->origin, old->public, &name);

    if (e == OK)
        e = note_begin(note, body, strlen(body));
    if (e == OK)
        e = log_key_open(rq->db, sequencer_place()->key, old, secret);
    if (e == OK)
        e = note_sign(note, &name, secret);
    OPENSSL_cleanse(secret, sizeof(secret));
    return e;
}

/* "ORIGIN\nkey rotation\nOLD VKEY\nNEW VKEY\n", signed by the old key. */
static enum err make_statement(struct request *rq, const struct log_key *old, const char *from,
                               const char *to, const char **out)
{
    const char *body = arena_printf(rq->arena, "%s\nkey rotation\n%s\n%s\n", old->origin, from, to);
    struct text note = text_new(NOTE_MAX);
    enum err e = sign_statement(rq, old, body, &note);

    if (e == OK)
        *out = arena_copy(rq->arena, note.data, note.length);
    text_free(&note);
    return e;
}

/* POST /v1/audit/log/rotate */
enum err post_audit_rotate(struct request *rq)
{
    struct log_keys *keys = arena_alloc(rq->arena, sizeof(*keys));
    struct rotation r = {.overlap_hours = OVERLAP_HOURS};
    struct log_key fresh = {.origin = NULL};
    const char *from, *to, *statement;
    struct log l;

    TRY(request_read(rq, &r));
    request_object(rq, "audit/log");
    TRY(log_lock(rq->db, &l));
    TRY(log_keys_find(rq->db, &l, keys));
    TRY(log_key_make(rq->db, sequencer_place()->key, &fresh));
    fresh.origin = l.origin;
    TRY(vkey_text(rq, &keys->items[0], &from));
    TRY(vkey_text(rq, &fresh, &to));
    TRY(make_statement(rq, &keys->items[0], from, to, &statement));
    TRY(log_key_replace(rq->db, &l, &fresh, r.overlap_hours, statement));
    request_audit(rq, "statement", json_string(statement));
    return request_reply_json(rq, json_pack("{s:s, s:s, s:I, s:s}", "former", from, "vkey", to,
                                            "overlap_hours", (json_int_t)r.overlap_hours,
                                            "statement", statement));
}
