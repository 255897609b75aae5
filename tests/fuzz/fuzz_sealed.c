/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/canonical.h"
#include "lineage/sealed/sealed.h"
#include "lineage/sealed/ustar.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PARTS_MAX = 64 };

/* The input is a head's members without listing and seal. They are listed and sealed here, by a key
 * that everybody knows, so that what lies behind the seal is reached. */
struct part {
    char name[USTAR_NAME_MAX + 1];
    const char *data;
    int64_t size;
};

static void must(bool fine)
{
    if (!fine)
        abort();
}

static size_t split(const uint8_t *data, size_t size, struct part *parts)
{
    size_t at = 0, count = 0;
    uint8_t again[USTAR_BLOCK];

    while (count < PARTS_MAX && size - at >= USTAR_BLOCK) {
        struct part *p = &parts[count];

        if (!ustar_read(data + at, p->name, &p->size))
            break;
        must(ustar_write(p->name, p->size, again) && memcmp(again, data + at, USTAR_BLOCK) == 0);
        at += USTAR_BLOCK;
        if ((uint64_t)p->size + ustar_padding(p->size) > size - at)
            break;
        p->data = (const char *)data + at;
        at += (size_t)p->size + ustar_padding(p->size);
        count++;
    }
    return count;
}

static void list_one(json_t *list, const char *name, const char *sha256, int64_t size)
{
    json_array_append_new(list, json_pack("{s:s, s:s, s:I}", "name", name, "sha256", sha256, "size",
                                          (json_int_t)size));
}

/* Files that a manifest names, as far as it can be read. */
static void list_files(json_t *list, const struct part *p, struct arena *a)
{
    json_t *manifest = json_loadb(p->data, (size_t)p->size, 0, NULL), *file;
    size_t i;

    json_array_foreach(json_object_get(manifest, "files"), i, file)
    {
        const char *sha256 = sealed_text(file, "sha256");

        list_one(list, arena_printf(a, "files/%s", sha256), sha256,
                 json_integer_value(json_object_get(file, "size")));
    }
    json_decref(manifest);
}

static json_t *nodes_of(const struct part *parts, size_t count)
{
    json_t *list = json_array(), *file, *version;
    size_t i;

    for (size_t k = 0; k < count; k++) {
        if (strcmp(parts[k].name, SEALED_VERSIONS) != 0)
            continue;
        file = json_loadb(parts[k].data, (size_t)parts[k].size, 0, NULL);
        json_array_foreach(json_object_get(file, "versions"), i, version)
        {
            json_array_append_new(list, json_string(sealed_text(version, "node")));
        }
        json_decref(file);
    }
    return list;
}

static void write_listing(struct arena *a, const struct part *parts, size_t count,
                          const struct note_key *key, struct text *out)
{
    json_t *list = json_array(), *listing;
    char vkey[NOTE_VKEY_SIZE], hex[2 * SHA256_SIZE + 1];

    for (size_t i = 0; i < count; i++) {
        struct digest d = sha256_of(parts[i].data, (size_t)parts[i].size);

        hex_encode(d.bytes, SHA256_SIZE, hex);
        list_one(list, parts[i].name, hex, parts[i].size);
    }
    for (size_t i = 0; i < count; i++)
        if (strncmp(parts[i].name, SEALED_MANIFESTS, strlen(SEALED_MANIFESTS)) == 0)
            list_files(list, &parts[i], a);
    note_vkey(key, vkey);
    listing = json_pack("{s:s, s:s, s:o, s:s, s:s, s:i, s:o, s:s}", "created", "", "format",
                        SEALED_FORMAT, "members", list, "origin", key->name, "project", "credit",
                        "v", SEALED_VERSION, "versions", nodes_of(parts, count), "vkey", vkey);
    must(listing == NULL || canonical_json(listing, out) == OK);
    json_decref(listing);
}

static bool open_sealed(struct arena *a, const struct part *parts, size_t count)
{
    static const uint8_t secret[ED25519_KEY] = "a key that everybody knows, only";
    struct text listing = text_new(SEALED_HEAD_MAX), statement = text_new(4096);
    struct text note = text_new(NOTE_MAX), head = text_new(SEALED_HEAD_MAX);
    uint8_t public[ED25519_KEY];
    struct sealed_fault fault;
    struct sealed out;
    struct note_key key;
    struct digest id;
    bool good;

    must(ed25519_public(secret, public) == OK &&
         note_key("fuzz.example/audit/1", public, &key) == OK);
    write_listing(a, parts, count, &key, &listing);
    id = sha256_of(listing.data, listing.length);
    sealed_statement(key.name, &id, &statement);
    must(note_begin(&note, statement.data, statement.length) == OK &&
         note_sign(&note, &key, secret) == OK);
    sealed_add(&head, SEALED_LISTING, listing.data, listing.length);
    sealed_add(&head, SEALED_SEAL, note.data, note.length);
    for (size_t i = 0; i < count; i++)
        sealed_add(&head, parts[i].name, parts[i].data, (size_t)parts[i].size);
    good =
        sealed_open(a, head.data, head.length, &(struct sealed_trust){.own = true}, &out, &fault);
    must(good || fault.text != NULL);
    text_free(&listing);
    text_free(&statement);
    text_free(&note);
    text_free(&head);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct part *parts = calloc(PARTS_MAX, sizeof(*parts));
    struct arena *a = arena_new();
    struct sealed_fault fault;
    struct sealed out;
    char *exact = malloc(size + (size == 0));

    must(parts != NULL && exact != NULL);
    memcpy(exact, data, size);
    must(!sealed_open(a, exact, size, &(struct sealed_trust){.own = true}, &out, &fault));
    (void)open_sealed(a, parts, split((const uint8_t *)exact, size, parts));
    arena_free(a);
    free(exact);
    free(parts);
    return 0;
}
