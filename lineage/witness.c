/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/witness.h"

#include "lineage/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COSIGNATURE = 0x04, TIMESTAMP = 8, BLOB = 4 + TIMESTAMP + ED25519_SIGNATURE };

static void key_id(const struct witness_key *key, uint8_t id[4])
{
    struct sha256 *h = sha256_begin();
    const uint8_t type = COSIGNATURE;
    struct digest d;

    sha256_add(h, key->name, strlen(key->name));
    sha256_add(h, "\n", 1);
    sha256_add(h, &type, 1);
    sha256_add(h, key->public, sizeof(key->public));
    d = sha256_end(h);
    memcpy(id, d.bytes, 4);
}

bool witness_key_parse(const char *vkey, struct witness_key *out)
{
    const char *hash = strchr(vkey, '+');
    const char *key = hash == NULL ? NULL : strchr(hash + 1, '+');
    uint8_t bytes[1 + ED25519_KEY], id[4];
    char hex[9] = "";

    if (key == NULL || hash - vkey > NOTE_NAME_MAX || key - hash != 9)
        return false;
    (void)snprintf(out->name, sizeof(out->name), "%.*s", (int)(hash - vkey), vkey);
    (void)snprintf(hex, sizeof(hex), "%.8s", hash + 1);
    if (!note_name_valid(out->name) || !hex_decode(hex, out->id, sizeof(out->id)) ||
        base64_decode(key + 1, strlen(key + 1), bytes, sizeof(bytes)) != sizeof(bytes) ||
        bytes[0] != COSIGNATURE)
        return false;
    memcpy(out->public, bytes + 1, ED25519_KEY);
    key_id(out, id);
    return memcmp(id, out->id, sizeof(id)) == 0;
}

/* C2SP tlog-cosignature: what is signed is the time and the checkpoint's text. */
static bool right(const struct witness_key *key, const uint8_t blob[BLOB], const char *note)
{
    const char *end = strstr(note, "\n\n");
    struct text message = text_new(NOTE_MAX);
    unsigned long long at = 0;
    bool good;

    for (size_t i = 4; i < 4 + TIMESTAMP; i++)
        at = at << 8 | blob[i];
    text_printf(&message, "cosignature/v1\ntime %llu\n", at);
    if (end != NULL)
        text_add(&message, note, (size_t)(end + 1 - note));
    good = end != NULL && !message.failed && memcmp(blob, key->id, sizeof(key->id)) == 0 &&
           ed25519_verify(key->public, message.data, message.length, blob + 4 + TIMESTAMP);
    text_free(&message);
    return good;
}

const char *witness_line(struct arena *a, const struct witness_key *key, const char *note,
                         const char *lines)
{
    const char *start = arena_printf(a, "\u2014 %s ", key->name);
    uint8_t blob[BLOB];

    while (*lines != '\0') {
        size_t length = strcspn(lines, "\n"), head = strlen(start);

        if (length > head && strncmp(lines, start, head) == 0 &&
            base64_decode(lines + head, length - head, blob, sizeof(blob)) == BLOB &&
            right(key, blob, note))
            return arena_printf(a, "%.*s\n", (int)length, lines);
        lines += length + (lines[length] == '\n');
    }
    return NULL;
}

bool witness_url_valid(const char *url)
{
    struct wire_place to;

    if (strlen(url) > 500 || !wire_parse(url, "443", &to))
        return false;
    if (strcmp(to.scheme, "https") == 0)
        return true;
    return strcmp(to.scheme, "http") == 0 &&
           (strcmp(to.host, "127.0.0.1") == 0 || strcmp(to.host, "localhost") == 0 ||
            strcmp(to.host, "::1") == 0);
}
