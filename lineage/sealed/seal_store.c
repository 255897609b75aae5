/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/sealed/seal.h"

#include "lineage/log_key.h"
#include "lineage/sequencer.h"
#include "lineage/sequencer_step.h"

#include <openssl/crypto.h>

enum err seal_note(struct db *db, const struct log *l, const struct text *statement,
                   struct text *note)
{
    struct log_keys *keys = arena_alloc(db->arena, sizeof(*keys));
    const struct sequencer_place *place = sequencer_place();
    uint8_t secret[ED25519_KEY];
    struct note_key key;
    enum err e;

    if (place == NULL)
        return ERR_UNAVAILABLE;
    TRY(log_keys_find(db, l, keys));
    TRY(note_key(l->origin, l->public, &key));
    TRY(log_key_open(db, place->key, &keys->items[0], secret));
    e = note_begin(note, statement->data, statement->length);
    if (e == OK)
        e = note_sign(note, &key, secret);
    OPENSSL_cleanse(secret, sizeof(secret));
    return e;
}
