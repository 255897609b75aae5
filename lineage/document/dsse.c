/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/document/dsse.h"

#include "lineage/log_key.h"
#include "lineage/sequencer.h"
#include "lineage/sequencer_step.h"

#include <openssl/crypto.h>
#include <string.h>

void dsse_pae(struct text *out, const char *type, const void *payload, size_t length)
{
    text_printf(out, "DSSEv1 %zu %s %zu ", strlen(type), type, length);
    text_add(out, payload, length);
}

/* The present key, which comes first. */
static enum err sign(struct db *db, const struct text *bytes, const char **keyid,
                     uint8_t signature[ED25519_SIGNATURE])
{
    struct log_keys *keys = arena_alloc(db->arena, sizeof(*keys));
    const struct sequencer_place *place = sequencer_place();
    uint8_t secret[ED25519_KEY];
    struct note_key key;
    struct log l;
    enum err e;

    e = log_find(db, &l);
    if (e == ERR_NOT_FOUND || place == NULL)
        return ERR_UNAVAILABLE;
    TRY(e);
    TRY(log_keys_find(db, &l, keys));
    if (keys->count == 0)
        return ERR_UNAVAILABLE;
    TRY(note_key(keys->items[0].origin, keys->items[0].public, &key));
    TRY(log_key_open(db, place->key, &keys->items[0], secret));
    e = ed25519_sign(secret, bytes->data, bytes->length, signature);
    OPENSSL_cleanse(secret, sizeof(secret));
    *keyid = arena_printf(db->arena, "%s+%08x", key.name, (unsigned)key.id);
    return e;
}

enum err dsse_sign(struct db *db, const char *type, const struct text *payload, json_t **out)
{
    struct text bytes = text_new(DSSE_MAX);
    uint8_t signature[ED25519_SIGNATURE];
    const char *keyid;
    enum err e = ERR_TOO_LARGE;

    dsse_pae(&bytes, type, payload->data, payload->length);
    if (!bytes.failed)
        e = sign(db, &bytes, &keyid, signature);
    text_free(&bytes);
    TRY(e);
    *out = json_pack("{s:s, s:s, s:[{s:s, s:s}]}", "payloadType", type, "payload",
                     base64_encode(db->arena, payload->data, payload->length), "signatures",
                     "keyid", keyid, "sig", base64_encode(db->arena, signature, sizeof(signature)));
    return OK;
}
