/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/privacy/payload.h"

#include "lineage/pseudonym.h"

#include <openssl/crypto.h>
#include <string.h>

static const char *place_of(struct db *db, const char *id, const char *leaf_hash)
{
    return arena_printf(db->arena, "v1|%s|%s|%s|audit-payload", db->tenant, id, leaf_hash);
}

/* HMAC-SHA256 of the second key under the first: a key of its own even where there is one subject.
 */
static void combine(const uint8_t actor[SEAL_KEY], const uint8_t *about, uint8_t out[SEAL_KEY])
{
    uint8_t text[7 + SEAL_KEY] = "payload";
    struct digest d;

    if (about != NULL)
        memcpy(text + 7, about, SEAL_KEY);
    d = hmac_sha256(actor, SEAL_KEY, text, about == NULL ? 7 : sizeof(text));
    memcpy(out, d.bytes, SEAL_KEY);
    OPENSSL_cleanse(text, sizeof(text));
    OPENSSL_cleanse(&d, sizeof(d));
}

static const char *actor_subject(struct db *db, const struct audit_made *m)
{
    return m->actor != NULL ? m->actor : arena_printf(db->arena, "day/%.10s", m->at);
}

static enum err take_keys(struct db *db, const struct audit_made *m, struct sealed_payload *out,
                          uint8_t key[SEAL_KEY])
{
    const char *actor = actor_subject(db, m);
    const char *about = pseudonym_subject(db->arena, m->object);
    struct subject_key first, second;
    bool two = about != NULL && strcmp(about, actor) != 0;
    enum err e = subject_key_take(db, actor, &first);

    if (e == OK && two)
        e = subject_key_take(db, about, &second);
    if (e == OK) {
        memcpy(out->key_id, first.id, ID_SIZE);
        out->keys = two ? 2 : 1;
        if (two)
            memcpy(out->about_id, second.id, ID_SIZE);
        combine(first.key, two ? second.key : NULL, key);
    }
    OPENSSL_cleanse(&first, sizeof(first));
    OPENSSL_cleanse(&second, sizeof(second));
    return e;
}

enum err payload_seal(struct db *db, const struct audit_made *m, struct sealed_payload *out)
{
    size_t length = AUDIT_SALT + strlen(m->payload);
    uint8_t *plain = arena_alloc(db->arena, length);
    uint8_t *sealed = arena_alloc(db->arena, length + SEAL_OVERHEAD);
    char hash[2 * SHA256_SIZE + 1];
    uint8_t key[SEAL_KEY];
    enum err e;

    TRY(take_keys(db, m, out, key));
    memcpy(plain, m->salt, AUDIT_SALT);
    memcpy(plain + AUDIT_SALT, m->payload, length - AUDIT_SALT);
    hex_encode(m->hash.bytes, SHA256_SIZE, hash);
    e = seal(key, place_of(db, m->id, hash), plain, length, sealed);
    OPENSSL_cleanse(plain, length);
    OPENSSL_cleanse(key, sizeof(key));
    out->bytes = sealed;
    out->length = length + SEAL_OVERHEAD;
    return e;
}

const char *payload_silenced(const struct audit_row *row)
{
    if (row->sealed == NULL || row->key_subject == NULL)
        return NULL;
    if (row->key_wrapped == NULL)
        return row->key_subject;
    return row->about_wrapped == NULL ? row->about_subject : NULL;
}

/* The actor's key of the last row: entries of one actor come in rows. */
struct last_key {
    char id[ID_SIZE];
    uint8_t key[SEAL_KEY];
};

static enum err open_actor(struct db *db, const struct audit_row *row, struct last_key *last)
{
    if (strcmp(row->key_id, last->id) == 0)
        return OK;
    last->id[0] = '\0';
    TRY(subject_key_open(db, row->key_id, row->key_subject, row->key_wrapped, last->key));
    (void)snprintf(last->id, sizeof(last->id), "%s", row->key_id);
    return OK;
}

/* ERR_NOT_FOUND when a key was destroyed. */
static enum err open_keys(struct db *db, const struct audit_row *row, struct last_key *last,
                          uint8_t key[SEAL_KEY])
{
    uint8_t about[SEAL_KEY];
    enum err e;

    if (row->key_id == NULL || row->key_subject == NULL ||
        (row->about_id != NULL && row->about_subject == NULL))
        return ERR_CONTENT;
    if (row->key_wrapped == NULL || (row->about_id != NULL && row->about_wrapped == NULL))
        return ERR_NOT_FOUND;
    e = open_actor(db, row, last);
    if (e == OK && row->about_id != NULL)
        e = subject_key_open(db, row->about_id, row->about_subject, row->about_wrapped, about);
    if (e == OK)
        combine(last->key, row->about_id == NULL ? NULL : about, key);
    OPENSSL_cleanse(about, sizeof(about));
    return e;
}

static enum err open_bytes(struct db *db, struct audit_row *row, const uint8_t key[SEAL_KEY])
{
    size_t length = strlen(row->sealed) / 2;
    uint8_t *sealed = arena_alloc(db->arena, length + 1);
    uint8_t *plain = arena_alloc(db->arena, length + 1);
    char *salt = arena_alloc(db->arena, 2 * AUDIT_SALT + 1);

    if (length < SEAL_OVERHEAD + AUDIT_SALT || !hex_decode(row->sealed, sealed, length) ||
        unseal(key, place_of(db, row->id, row->leaf_hash), sealed, length, plain) != OK)
        return ERR_CONTENT;
    plain[length - SEAL_OVERHEAD] = '\0';
    hex_encode(plain, AUDIT_SALT, salt);
    row->salt = salt;
    row->payload = (const char *)plain + AUDIT_SALT;
    return OK;
}

enum err payload_open(struct db *db, struct audit_row *rows, size_t count)
{
    struct last_key last = {.id = ""};
    enum err failed = OK;

    for (size_t i = 0; i < count && failed == OK; i++) {
        struct audit_row *row = &rows[i];
        uint8_t key[SEAL_KEY];
        enum err e;

        row->salt = row->payload = NULL;
        row->spoilt = row->key_id == NULL; /* erased rows stay */
        if (row->sealed == NULL)
            continue;
        e = open_keys(db, row, &last, key);
        if (e == OK)
            e = open_bytes(db, row, key);
        OPENSSL_cleanse(key, sizeof(key));
        row->spoilt = e == ERR_CONTENT;
        failed = e == ERR_CONTENT || e == ERR_NOT_FOUND ? OK : e;
    }
    OPENSSL_cleanse(&last, sizeof(last));
    return failed;
}
