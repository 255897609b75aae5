/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/sealed/sealed.h"

#include "lineage/canonical.h"
#include "lineage/sealed/ustar.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEX = 2 * SHA256_SIZE };

/* Kinds of members in their order. Where tail is not NULL, 64 lower-case digits and one of the
 * endings follow the name. */
static const struct {
    const char *name;
    const char *tails[3];
} kinds[] = {
    {SEALED_HEAD, {NULL}},
    {SEALED_LINEAGE, {NULL}},
    {SEALED_VERSIONS, {NULL}},
    {SEALED_MANIFESTS, {"", NULL}},
    {SEALED_DOCUMENTS, {".approval.dsse.json", ".provenance.dsse.json", NULL}},
    {SEALED_FILES, {"", NULL}},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]), RANK_FILES = KINDS - 1 };

void sealed_because(struct sealed_fault *fault, struct arena *a, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fault->text = arena_vprintf(a, format, args);
    va_end(args);
}

const char *sealed_text(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));

    return text == NULL ? "" : text;
}

bool sealed_hex(const char *hex, struct digest *out)
{
    return strspn(hex, "0123456789abcdef") == HEX && hex[HEX] == '\0' &&
           hex_decode(hex, out->bytes, SHA256_SIZE);
}

int sealed_rank(const char *name)
{
    for (int k = 0; k < KINDS; k++) {
        size_t length = strlen(kinds[k].name);
        const char *rest = name + length;

        if (strncmp(name, kinds[k].name, length) != 0)
            continue;
        if (kinds[k].tails[0] == NULL)
            return *rest == '\0' ? k : -1;
        if (strspn(rest, "0123456789abcdef") != HEX)
            return -1;
        for (int t = 0; kinds[k].tails[t] != NULL; t++)
            if (strcmp(rest + HEX, kinds[k].tails[t]) == 0)
                return k;
        return -1;
    }
    return -1;
}

int sealed_compare(const char *name, const char *other)
{
    int rank = sealed_rank(name), beside = sealed_rank(other);

    return rank != beside ? (rank > beside) - (rank < beside) : strcmp(name, other);
}

void sealed_statement(const char *origin, const struct digest *listing, struct text *out)
{
    text_printf(out, "%s\nbundle\n", origin);
    digest_write(out, listing);
    text_puts(out, "\n");
}

void sealed_add(struct text *out, const char *name, const char *data, size_t length)
{
    static const char zeros[USTAR_BLOCK];
    uint8_t header[USTAR_BLOCK];

    if (!ustar_write(name, (int64_t)length, header)) {
        out->failed = true;
        return;
    }
    text_add(out, (const char *)header, sizeof(header));
    text_add(out, data, length);
    text_add(out, zeros, ustar_padding((int64_t)length));
}

static int beside(const void *name, const void *member)
{
    return sealed_compare(name, ((const struct sealed_member *)member)->name);
}

const struct sealed_member *sealed_find(const struct sealed *s, const char *name)
{
    return bsearch(name, s->members, s->count, sizeof(*s->members), beside);
}

static void release_json(void *json)
{
    json_decref(json);
}

static json_t *parse(struct arena *a, const char *data, size_t length)
{
    json_t *json = json_loadb(data, length, JSON_REJECT_DUPLICATES, NULL);

    if (json != NULL)
        arena_own(a, json, release_json);
    return json;
}

/* Equal values are equal bytes, so that nothing can hide in how they are spelled. */
static bool is_canonical(const json_t *json, const char *data, size_t length)
{
    struct text again = text_new(SEALED_HEAD_MAX);
    bool same = canonical_json(json, &again) == OK && again.length == length &&
                memcmp(again.data, data, length) == 0;

    text_free(&again);
    return same;
}

json_t *sealed_json(const struct sealed *s, const char *name, struct sealed_fault *fault)
{
    const struct sealed_member *m = sealed_find(s, name);
    json_t *json = m == NULL ? NULL : parse(s->arena, m->data, (size_t)m->size);

    if (json == NULL)
        sealed_because(fault, s->arena, "%s is missing or not JSON", name);
    else if (!is_canonical(json, m->data, (size_t)m->size)) {
        sealed_because(fault, s->arena, "%s is not in canonical form", name);
        json = NULL;
    }
    return json;
}

/* Walks over the archive. */
struct reading {
    struct arena *a;
    const char *at;
    size_t left;
    struct sealed_fault *fault;
};

static bool next_member(struct reading *r, struct sealed_member *out)
{
    char name[USTAR_NAME_MAX + 1];
    size_t padding;

    if (r->left < USTAR_BLOCK)
        return sealed_wrong(r->fault, r->a, "the bundle is cut off");
    if (!ustar_read((const uint8_t *)r->at, name, &out->size))
        return sealed_wrong(r->fault, r->a, "a member's header is not one that bundles have");
    out->name = arena_text(r->a, name);
    r->at += USTAR_BLOCK;
    r->left -= USTAR_BLOCK;
    padding = ustar_padding(out->size);
    if ((uint64_t)out->size > r->left || padding > r->left - (size_t)out->size)
        return sealed_wrong(r->fault, r->a, "%s is cut off", name);
    out->data = r->at;
    r->at += out->size;
    if (!ustar_zero((const uint8_t *)r->at, padding))
        return sealed_wrong(r->fault, r->a, "there is something behind %s", name);
    r->at += padding;
    r->left -= (size_t)out->size + padding;
    return true;
}

static bool expect_member(struct reading *r, const char *name, struct sealed_member *out)
{
    if (!next_member(r, out))
        return false;
    return strcmp(out->name, name) == 0 ||
           sealed_wrong(r->fault, r->a, "%s stands where %s must stand", out->name, name);
}

static bool read_entry(const struct sealed *s, const json_t *entry, struct sealed_member *out)
{
    const json_t *size = json_object_get(entry, "size");

    out->name = sealed_text(entry, "name");
    out->size = json_integer_value(size);
    out->data = NULL;
    return json_object_size(entry) == 3 && json_is_integer(size) && out->size >= 0 &&
           out->size <= USTAR_SIZE_MAX && sealed_rank(out->name) >= 0 &&
           sealed_hex(sealed_text(entry, "sha256"), &out->sha256) &&
           (out == s->members || sealed_compare(out[-1].name, out->name) < 0);
}

static bool read_members(struct sealed *s, struct sealed_fault *fault)
{
    const json_t *list = json_object_get(s->listing, "members");

    s->count = json_array_size(list);
    if (s->count == 0 || s->count > SEALED_MEMBERS_MAX)
        return sealed_wrong(fault, s->arena, "the listing has no members, or too many");
    s->members = arena_alloc(s->arena, s->count * sizeof(*s->members));
    for (size_t i = 0; i < s->count; i++) {
        if (!read_entry(s, json_array_get(list, i), &s->members[i]))
            return sealed_wrong(fault, s->arena, "the listing's member %zu is not as it must be",
                                i);
        s->small += sealed_rank(s->members[i].name) < RANK_FILES;
    }
    return true;
}

static bool read_listing(struct sealed *s, const struct sealed_member *m,
                         struct sealed_fault *fault)
{
    s->listing = parse(s->arena, m->data, (size_t)m->size);
    if (s->listing == NULL || !is_canonical(s->listing, m->data, (size_t)m->size))
        return sealed_wrong(fault, s->arena, "%s is not canonical JSON", m->name);
    if (strcmp(sealed_text(s->listing, "format"), SEALED_FORMAT) != 0 ||
        json_integer_value(json_object_get(s->listing, "v")) != SEALED_VERSION)
        return sealed_wrong(fault, s->arena, "%s is not of a bundle of version %d", m->name,
                            SEALED_VERSION);
    s->origin = sealed_text(s->listing, "origin");
    s->id = sha256_of(m->data, (size_t)m->size);
    return read_members(s, fault);
}

static bool known(const struct sealed_trust *trust, const struct note_key *key)
{
    for (size_t i = 0; i < trust->count; i++)
        if (strcmp(trust->keys[i].name, key->name) == 0 &&
            memcmp(trust->keys[i].public, key->public, ED25519_KEY) == 0)
            return true;
    return trust->own;
}

/* One signature, of the key that the listing names, over the one text that it may sign. */
static bool check_seal(struct sealed *s, const struct sealed_member *m,
                       const struct sealed_trust *trust, struct note_key *key,
                       struct sealed_fault *fault)
{
    struct text wanted = text_new(4096);
    struct note note;
    bool good;

    if (note_vkey_parse(sealed_text(s->listing, "vkey"), key) != OK ||
        strcmp(key->name, s->origin) != 0)
        return sealed_wrong(fault, s->arena, "the listing names no key of its origin");
    s->signer = arena_printf(s->arena, "%s+%08x", key->name, (unsigned)key->id);
    sealed_statement(s->origin, &s->id, &wanted);
    good = note_open(m->data, (size_t)m->size, key, 1, &note) == NOTE_GOOD &&
           note.signatures == 1 && note.length == wanted.length &&
           memcmp(note.text, wanted.data, wanted.length) == 0;
    text_free(&wanted);
    if (!good)
        return sealed_wrong(fault, s->arena, "the seal is not that of %s over this listing",
                            s->signer);
    if (known(trust, key))
        return true;
    fault->stranger = true;
    return sealed_wrong(fault, s->arena,
                        "the bundle is sealed by %s, which is none of the keys that are trusted",
                        s->signer);
}

static bool read_small(struct sealed *s, struct reading *r)
{
    struct sealed_member found = {.name = NULL};

    for (size_t i = 0; i < s->small; i++) {
        struct sealed_member *m = &s->members[i];
        struct digest digest;

        if (!expect_member(r, m->name, &found))
            return false;
        digest = sha256_of(found.data, (size_t)found.size);
        if (found.size != m->size || !digest_equal(&digest, &m->sha256))
            return sealed_wrong(r->fault, s->arena, "%s is not what the listing says it is",
                                m->name);
        m->data = found.data;
    }
    return r->left == 0 ||
           sealed_wrong(r->fault, s->arena, "there is a member that the listing does not name");
}

bool sealed_open(struct arena *a, const char *bytes, size_t length,
                 const struct sealed_trust *trust, struct sealed *out, struct sealed_fault *fault)
{
    struct reading r = {.a = a, .at = bytes, .left = length, .fault = fault};
    struct sealed_member listing, seal;
    struct note_key *keys = arena_alloc(a, (trust->count + 1) * sizeof(*keys));

    *out = (struct sealed){.arena = a};
    *fault = (struct sealed_fault){.text = NULL};
    if (length > SEALED_HEAD_MAX)
        return sealed_wrong(fault, a, "the bundle's head is larger than %d bytes", SEALED_HEAD_MAX);
    if (!expect_member(&r, SEALED_LISTING, &listing) || !expect_member(&r, SEALED_SEAL, &seal) ||
        !read_listing(out, &listing, fault) || !check_seal(out, &seal, trust, keys, fault) ||
        !read_small(out, &r))
        return false;
    if (trust->count > 0)
        memcpy(keys + 1, trust->keys, trust->count * sizeof(*keys));
    return sealed_contents(out, keys, 1 + trust->count, fault);
}
