/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/note.h"

#include "lineage/merkle.h"

#include <stdio.h>
#include <string.h>

enum { ED25519_TYPE = 0x01, ID_BYTES = 4, LINE_SIGNATURE_MAX = 8192 };

/* U+2014 and a space begin a signature line. */
static const char dash[] = "\xe2\x80\x94 ";

/* Code point of the valid UTF-8 sequence at *s, moving past it. */
static uint32_t code_point(const unsigned char **s)
{
    unsigned char c = *(*s)++;
    unsigned extra = c < 0xC0 ? 0 : c < 0xE0 ? 1 : c < 0xF0 ? 2 : 3;
    uint32_t point = extra == 0 ? c : c & (0x3FU >> extra);

    for (; extra > 0; extra--)
        point = point << 6 | (*(*s)++ & 0x3F);
    return point;
}

/* Unicode's White_Space property. */
static bool is_space(uint32_t c)
{
    return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
           c == 0x205F || c == 0x3000;
}

bool note_name_valid(const char *name)
{
    size_t length = strnlen(name, NOTE_NAME_MAX + 1);
    const unsigned char *s = (const unsigned char *)name;

    if (length == 0 || length > NOTE_NAME_MAX || !utf8_valid(name, length))
        return false;
    while (*s != '\0') {
        uint32_t c = code_point(&s);

        if (c < 0x20 || c == '+' || is_space(c))
            return false;
    }
    return true;
}

/* SHA-256(name || 0x0A || type || key)[:4], big-endian. */
static uint32_t key_id(const char *name, const uint8_t public[ED25519_KEY])
{
    static const uint8_t between[] = {'\n', ED25519_TYPE};
    struct sha256 *h = sha256_begin();
    struct digest d;

    sha256_add(h, name, strlen(name));
    sha256_add(h, between, sizeof(between));
    sha256_add(h, public, ED25519_KEY);
    d = sha256_end(h);
    return (uint32_t)d.bytes[0] << 24 | (uint32_t)d.bytes[1] << 16 | (uint32_t)d.bytes[2] << 8 |
           d.bytes[3];
}

enum err note_key(const char *name, const uint8_t public[ED25519_KEY], struct note_key *out)
{
    if (!note_name_valid(name))
        return ERR_INVALID;
    *out = (struct note_key){.id = key_id(name, public)};
    (void)snprintf(out->name, sizeof(out->name), "%s", name);
    memcpy(out->public, public, ED25519_KEY);
    return OK;
}

void note_vkey(const struct note_key *key, char out[NOTE_VKEY_SIZE])
{
    uint8_t typed[1 + ED25519_KEY] = {ED25519_TYPE};
    struct arena *a = arena_new();

    memcpy(typed + 1, key->public, ED25519_KEY);
    (void)snprintf(out, NOTE_VKEY_SIZE, "%s+%08x+%s", key->name, key->id,
                   base64_encode(a, typed, sizeof(typed)));
    arena_free(a);
}

enum err note_vkey_parse(const char *text, struct note_key *out)
{
    size_t length = strnlen(text, NOTE_VKEY_SIZE);
    const char *plus = memchr(text, '+', length), *second;
    char name[NOTE_NAME_MAX + 1], hex[9];
    uint8_t typed[1 + ED25519_KEY];
    size_t name_length = plus == NULL ? 0 : (size_t)(plus - text);

    if (plus == NULL || length == NOTE_VKEY_SIZE || name_length > NOTE_NAME_MAX)
        return ERR_INVALID;
    second = memchr(plus + 1, '+', length - name_length - 1);
    if (second == NULL || second - plus != 9)
        return ERR_INVALID;
    (void)snprintf(name, sizeof(name), "%.*s", (int)name_length, text);
    if (base64_decode(second + 1, strlen(second + 1), typed, sizeof(typed)) != sizeof(typed) ||
        typed[0] != ED25519_TYPE || note_key(name, typed + 1, out) != OK)
        return ERR_INVALID;
    /* Lower case only: one key, one spelling. */
    (void)snprintf(hex, sizeof(hex), "%08x", out->id);
    return memcmp(plus + 1, hex, 8) == 0 ? OK : ERR_INVALID;
}

/* UTF-8 without control characters but LF. */
static bool characters_valid(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)bytes[i] < 0x20 && bytes[i] != '\n')
            return false;
    }
    return utf8_valid(bytes, length);
}

enum err note_begin(struct text *out, const char *text, size_t length)
{
    if (length == 0 || text[length - 1] != '\n' || !characters_valid(text, length))
        return ERR_INVALID;
    text_add(out, text, length);
    text_puts(out, "\n");
    return out->failed ? ERR_TOO_LARGE : OK;
}

/* Start of the signature lines: after the note's last empty line; NULL when there is no text or no
 * empty line. */
static const char *signature_lines(const char *bytes, size_t length)
{
    for (size_t i = length; i >= 3; i--) {
        if (bytes[i - 1] == '\n' && bytes[i - 2] == '\n')
            return bytes + i;
    }
    return NULL;
}

enum err note_sign(struct text *note, const struct note_key *key, const uint8_t secret[ED25519_KEY])
{
    uint8_t signature[ID_BYTES + ED25519_SIGNATURE] = {(uint8_t)(key->id >> 24),
                                                       (uint8_t)(key->id >> 16),
                                                       (uint8_t)(key->id >> 8), (uint8_t)key->id};
    const char *lines = note->data == NULL ? NULL : signature_lines(note->data, note->length);
    struct arena *a;
    enum err e;

    if (lines == NULL)
        return ERR_INVALID;
    e = ed25519_sign(secret, note->data, (size_t)(lines - note->data) - 1, signature + ID_BYTES);
    if (e != OK)
        return e;
    a = arena_new();
    text_printf(note, "%s%s %s\n", dash, key->name, base64_encode(a, signature, sizeof(signature)));
    arena_free(a);
    return note->failed ? ERR_TOO_LARGE : OK;
}

const char *note_state_text(enum note_state s)
{
    switch (s) {
    case NOTE_GOOD:
        return "signed by a known key";
    case NOTE_MALFORMED:
        return "not a well-formed signed note";
    case NOTE_UNSIGNED:
        return "not signed by any known key";
    case NOTE_FORGED:
        return "a signature is not by the key it names";
    }
    return "unknown";
}

const char *line_next(const char **at, const char *end, size_t *length)
{
    const char *start = *at;
    const char *newline = start == end ? NULL : memchr(start, '\n', (size_t)(end - start));

    if (newline == NULL)
        return NULL;
    *length = (size_t)(newline - start);
    *at = newline + 1;
    return start;
}

struct signature {
    char name[NOTE_NAME_MAX + 1];
    uint32_t id;
    size_t length;
    uint8_t bytes[LINE_SIGNATURE_MAX];
};

static bool signature_parse(const char *line, size_t length, struct signature *out)
{
    uint8_t decoded[ID_BYTES + LINE_SIGNATURE_MAX];
    const char *name = line + sizeof(dash) - 1, *space;
    long count;

    if (length < sizeof(dash) || memcmp(line, dash, sizeof(dash) - 1) != 0)
        return false;
    length -= sizeof(dash) - 1;
    space = memchr(name, ' ', length);
    if (space == NULL || space - name > NOTE_NAME_MAX)
        return false;
    (void)snprintf(out->name, sizeof(out->name), "%.*s", (int)(space - name), name);
    length -= (size_t)(space - name) + 1;
    count = base64_decode(space + 1, length, decoded, sizeof(decoded));
    if (count <= ID_BYTES || !note_name_valid(out->name))
        return false;
    out->id = (uint32_t)decoded[0] << 24 | (uint32_t)decoded[1] << 16 | (uint32_t)decoded[2] << 8 |
              decoded[3];
    out->length = (size_t)count - ID_BYTES;
    memcpy(out->bytes, decoded + ID_BYTES, out->length);
    return true;
}

/* Whether a signature of a known key is its; true when no key is meant. Two keys may share name and
 * id (the id is short), so one of them that fits is enough. */
static bool signature_holds(const struct signature *s, const struct note_key *keys, size_t count,
                            struct note *n)
{
    bool known = false, good = false;

    for (size_t i = 0; i < count; i++) {
        if (keys[i].id != s->id || strcmp(keys[i].name, s->name) != 0)
            continue;
        known = true;
        if (s->length == ED25519_SIGNATURE &&
            ed25519_verify(keys[i].public, n->text, n->length, s->bytes)) {
            n->signers |= UINT64_C(1) << i;
            good = true;
        }
    }
    return good || !known;
}

enum note_state note_open(const char *bytes, size_t length, const struct note_key *keys,
                          size_t key_count, struct note *out)
{
    const char *end = bytes + length, *at, *line;
    bool forged = false;
    size_t size;

    if (length > NOTE_MAX || !characters_valid(bytes, length))
        return NOTE_MALFORMED;
    at = signature_lines(bytes, length);
    if (at == NULL || at == end)
        return NOTE_MALFORMED;
    *out = (struct note){.text = bytes, .length = (size_t)(at - bytes) - 1};
    if (key_count > NOTE_KEYS_MAX)
        key_count = NOTE_KEYS_MAX;
    while (at < end) {
        struct signature s;

        line = line_next(&at, end, &size);
        if (line == NULL || out->signatures == NOTE_SIGNATURES_MAX ||
            !signature_parse(line, size, &s))
            return NOTE_MALFORMED;
        out->signatures++;
        forged = !signature_holds(&s, keys, key_count, out) || forged;
    }
    if (forged)
        return NOTE_FORGED;
    return out->signers == 0 ? NOTE_UNSIGNED : NOTE_GOOD;
}

void digest_write(struct text *out, const struct digest *d)
{
    struct arena *a = arena_new();

    text_puts(out, base64_encode(a, d->bytes, SHA256_SIZE));
    arena_free(a);
}

bool digest_parse(const char *text, size_t length, struct digest *out)
{
    return base64_decode(text, length, out->bytes, SHA256_SIZE) == SHA256_SIZE;
}

bool decimal_parse(const char *text, size_t length, uint64_t max, uint64_t *out)
{
    char digits[21];

    if (length == 0 || length >= sizeof(digits) || (length > 1 && text[0] == '0') ||
        memchr(text, '\0', length) != NULL)
        return false;
    memcpy(digits, text, length);
    digits[length] = '\0';
    return uint_parse(digits, max, out);
}

void checkpoint_write(struct text *out, const struct checkpoint *c)
{
    text_printf(out, "%s\n%llu\n", c->origin, (unsigned long long)c->size);
    digest_write(out, &c->root);
    text_puts(out, "\n");
}

enum err checkpoint_parse(const char *text, size_t length, struct checkpoint *out)
{
    const char *at = text, *end = text + length, *line;
    size_t size;

    line = line_next(&at, end, &size);
    if (line == NULL || size == 0 || size > NOTE_NAME_MAX || memchr(line, '\0', size) != NULL)
        return ERR_INVALID;
    memcpy(out->origin, line, size);
    out->origin[size] = '\0';
    line = line_next(&at, end, &size);
    if (line == NULL || !decimal_parse(line, size, MERKLE_SIZE_MAX, &out->size))
        return ERR_INVALID;
    line = line_next(&at, end, &size);
    if (line == NULL || !digest_parse(line, size, &out->root))
        return ERR_INVALID;
    while (at < end) {
        line = line_next(&at, end, &size);
        if (line == NULL || size == 0)
            return ERR_INVALID;
    }
    return OK;
}

enum note_state checkpoint_open(const char *bytes, size_t length, const struct note_key *keys,
                                size_t key_count, struct checkpoint *out)
{
    enum note_state s;
    struct checkpoint c;
    struct note n;

    s = note_open(bytes, length, keys, key_count, &n);
    if (s != NOTE_GOOD)
        return s;
    if (checkpoint_parse(n.text, n.length, &c) != OK)
        return NOTE_MALFORMED;
    for (size_t i = 0; i < key_count && i < NOTE_KEYS_MAX; i++) {
        if ((n.signers >> i & 1) != 0 && strcmp(keys[i].name, c.origin) == 0) {
            *out = c;
            return NOTE_GOOD;
        }
    }
    return NOTE_UNSIGNED;
}
