/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/pickle.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    SNIFF = 16,
    IN_A_ROW = 8, /* pickles one after the other, as old torch writes them */
    RAW = 0,
    ZLIB_OR_GZIP = 47, /* zlib.h: 15 + 32 */
    BARE_DEFLATE = -15,
    NUMPY_HEADER_MAX = 1 << 16
};

/* Whose pickles are being looked for. */
struct place {
    const char *path;
    const char *member; /* NULL outside zip files */
    json_t *list;
};

static bool ends(const char *text, const char *const *endings)
{
    size_t length = strlen(text);

    for (; *endings != NULL; endings++) {
        size_t ending = strlen(*endings);

        if (length >= ending && strcasecmp(text + length - ending, *endings) == 0)
            return true;
    }
    return false;
}

/* Names under which files of protocol 0 or 1, which begin with nothing in particular, are loaded.
 */
static bool named_as_pickle(const struct place *p)
{
    static const char *const packed[] = {".gz", ".bz2", ".xz", ".lzma", ".lz4", ".zst", ".z", NULL};
    static const char *const endings[] = {".pkl",  ".pickle",  ".p",   ".joblib", ".dill",
                                          ".ckpt", ".pt",      ".pth", ".pck",    ".cloudpickle",
                                          ".sav",  ".bin.pkl", NULL};

    const char *name = p->member == NULL ? p->path : p->member;
    const char *dot = strrchr(name, '.');
    char bare[PICKLE_NAME_MAX * 8];

    if (dot == NULL || !ends(dot, packed) || (size_t)(dot - name) >= sizeof(bare))
        return ends(name, endings);
    memcpy(bare, name, (size_t)(dot - name));
    bare[dot - name] = '\0';
    return ends(bare, endings);
}

static void report(const struct place *p, json_t *found)
{
    json_object_set_new(found, "path", json_string(p->path));
    if (p->member != NULL)
        json_object_set_new(found, "member", json_string(p->member));
    json_array_append_new(p->list, found);
}

/* Bytes that no reader of JSON would take are shown as '?'. */
static void show(char *name)
{
    for (char *c = name; *c != '\0'; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
}

static void walk_all(const struct place *p, struct pickle_stream *s)
{
    bool ended = true;

    for (int i = 0; i < IN_A_ROW && ended; i++) {
        uint8_t next;
        json_t *found;

        if (i > 0 && (pickle_peek(s, &next, 1) == 0 || next != 0x80))
            return;
        found = pickle_walk(s, &ended);
        if (i > 0 || ended || json_array_size(json_object_get(found, "opcodes")) > 0 ||
            json_integer_value(json_object_get(found, "protocol")) >= 2 || named_as_pickle(p))
            report(p, found);
        else
            json_decref(found);
    }
}

/* numpy/lib/format.py: arrays of objects are pickled behind their header. */
static void numpy(const struct place *p, struct pickle_stream *s)
{
    uint8_t head[12];
    size_t length;
    char *text;
    size_t have = 0;

    for (size_t i = 0; i < 10; i++)
        head[i] = (uint8_t)pickle_next(s);
    length = (size_t)(head[8] | head[9] << 8);
    if (head[6] > 1) {
        int low = pickle_next(s), high = pickle_next(s);

        length |= low < 0 || high < 0 ? 0 : (size_t)(low | high << 8) << 16;
    }
    if (length > NUMPY_HEADER_MAX)
        return;
    text = calloc(1, length + 1);
    while (text != NULL && have < length) {
        int c = pickle_next(s);

        if (c < 0)
            break;
        text[have++] = (char)c;
    }
    if (text != NULL && (strstr(text, "|O") != NULL || strstr(text, "'O'") != NULL))
        walk_all(p, s);
    free(text);
}

static bool begins(const uint8_t *head, size_t length, const char *with, size_t size)
{
    return length >= size && memcmp(head, with, size) == 0;
}

/* What joblib packs pickles with (joblib/compressor.py), and zstd. The outermost gzip or zlib of a
 * file is undone before; any other layer is said to be there, and not walked. */
static const char *compression_of(const uint8_t *head, size_t length)
{
    static const struct {
        const char *magic;
        size_t size;
        const char *name;
    } known[] = {{"\x04\x22\x4d\x18", 4, "lz4"},
                 {"\xfd"
                  "7zXZ",
                  5, "xz"},
                 {"BZh", 3, "bz2"},
                 {"\x5d\x00\x00\x80", 4, "lzma"},
                 {"\x28\xb5\x2f\xfd", 4, "zstd"},
                 {"\x1f\x8b", 2, "gzip"},
                 {"ZF", 2, "joblib zfile"}};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (begins(head, length, known[i].magic, known[i].size))
            return known[i].name;
    return length >= 2 && head[0] == 0x78 && (head[0] * 256 + head[1]) % 31 == 0 ? "zlib" : NULL;
}

static void look(const struct place *p, struct pickle_stream *s, bool may_be_text)
{
    uint8_t head[SNIFF];
    size_t length = pickle_peek(s, head, sizeof(head));

    if (begins(head, length, "\x93NUMPY", 6))
        numpy(p, s);
    else if (may_be_text && compression_of(head, length) != NULL)
        report(p, json_pack("{s:i, s:[], s:[], s:b, s:s, s:s}", "protocol", 0, "opcodes", "globals",
                            "complete", 0, "compression", compression_of(head, length), "note",
                            "compressed, not walked"));
    else if ((length >= 2 && head[0] == 0x80 && head[1] <= 5) || (may_be_text && length > 0))
        walk_all(p, s);
}

static uint64_t little(const uint8_t *at, unsigned bytes)
{
    uint64_t out = 0;

    for (unsigned i = 0; i < bytes; i++)
        out |= (uint64_t)at[i] << (8 * i);
    return out;
}

/* A member of a zip file (PKWARE APPNOTE 4.3.12). */
struct member {
    uint64_t packed, size, header;
    unsigned method;
    char name[256];
};

/* Sizes that do not fit are in the extra field 1, in this order (4.5.3). */
static void widen(struct member *m, const uint8_t *extra, size_t length)
{
    uint64_t *const wide[] = {&m->size, &m->packed, &m->header};

    for (size_t at = 0; at + 4 <= length;) {
        size_t field = (size_t)little(extra + at + 2, 2);
        size_t from = at + 4;

        if (field > length - from)
            return;
        for (size_t i = 0; little(extra + at, 2) == 1 && i < 3; i++)
            if (*wide[i] == UINT32_MAX && from + 8 <= at + 4 + field) {
                *wide[i] = little(extra + from, 8);
                from += 8;
            }
        at += 4 + field;
    }
}

/* Where its bytes begin: behind its own header, whose name and extra field may differ in length. */
static bool data_of(const struct pickle_bytes *b, const struct member *m, uint64_t *offset)
{
    uint8_t head[30];

    if (pickle_read(b, m->header, head, sizeof(head)) != sizeof(head) ||
        little(head, 4) != 0x04034b50)
        return false;
    *offset = m->header + sizeof(head) + little(head + 26, 2) + little(head + 28, 2);
    return *offset <= b->size;
}

static void look_into_member(const struct place *outer, const struct pickle_bytes *b,
                             const struct member *m)
{
    struct place p = {.path = outer->path, .member = m->name, .list = outer->list};
    struct pickle_stream *s;
    uint64_t offset = 0;

    if (!data_of(b, m, &offset) || (m->method != 0 && m->method != 8)) {
        if (named_as_pickle(&p))
            report(&p, json_pack("{s:i, s:[], s:[], s:b}", "protocol", 0, "opcodes", "globals",
                                 "complete", 0));
        return;
    }
    s = pickle_open(b, offset, m->packed, m->method == 8 ? BARE_DEFLATE : RAW);
    if (s != NULL)
        look(&p, s, named_as_pickle(&p));
    pickle_close(s);
}

/* The length of the entry at offset of the directory; 0 when there is none. */
static uint64_t next_member(const struct pickle_bytes *b, uint64_t offset, struct member *m)
{
    uint8_t head[46];
    uint8_t *extra;
    size_t name, field;

    if (pickle_read(b, offset, head, sizeof(head)) != sizeof(head) || little(head, 4) != 0x02014b50)
        return 0;
    name = (size_t)little(head + 28, 2);
    field = (size_t)little(head + 30, 2);
    *m = (struct member){.method = (unsigned)little(head + 10, 2),
                         .packed = little(head + 20, 4),
                         .size = little(head + 24, 4),
                         .header = little(head + 42, 4)};
    (void)pickle_read(b, offset + sizeof(head), m->name,
                      name < sizeof(m->name) - 1 ? name : sizeof(m->name) - 1);
    show(m->name);
    extra = malloc(field + 1);
    if (extra != NULL)
        widen(m, extra, pickle_read(b, offset + sizeof(head) + name, extra, field));
    free(extra);
    return sizeof(head) + name + field + little(head + 32, 2);
}

/* The central directory, by the end record, be it of zip64; false when there is none. */
static bool directory(const struct pickle_bytes *b, uint64_t *offset)
{
    enum { TAIL = 65557, END = 22 };
    size_t tail = b->size < TAIL ? (size_t)b->size : TAIL;
    uint8_t *bytes = malloc(tail + 1);
    uint8_t wide[56];
    bool found = false;

    if (bytes == NULL || tail < END || pickle_read(b, b->size - tail, bytes, tail) != tail) {
        free(bytes);
        return false;
    }
    for (size_t at = tail - END + 1; at-- > 0 && !found;) {
        found = little(bytes + at, 4) == 0x06054b50;
        if (!found)
            continue;
        *offset = little(bytes + at + 16, 4);
        if (*offset == UINT32_MAX && at >= 20 && little(bytes + at - 20, 4) == 0x07064b50 &&
            pickle_read(b, little(bytes + at - 12, 8), wide, sizeof(wide)) == sizeof(wide))
            *offset = little(wide + 48, 8);
    }
    free(bytes);
    return found;
}

static void look_into_zip(const struct place *p, const struct pickle_bytes *b)
{
    uint64_t offset = 0;
    struct member m;

    if (!directory(b, &offset))
        return;
    for (int i = 0; i < PICKLE_MEMBERS_MAX; i++) {
        uint64_t length = next_member(b, offset, &m);

        if (length == 0)
            return;
        look_into_member(p, b, &m);
        offset += length;
    }
}

void pickle_scan(const struct pickle_bytes *b, const char *path, json_t *list)
{
    struct place p = {.path = path, .list = list};
    uint8_t head[SNIFF];
    size_t length = pickle_read(b, 0, head, sizeof(head));
    bool gzip = begins(head, length, "\x1f\x8b", 2);
    bool zlib = length >= 2 && head[0] == 0x78 && (head[0] * 256 + head[1]) % 31 == 0;
    bool named = named_as_pickle(&p);
    struct pickle_stream *s;

    if (begins(head, length, "PK\x03\x04", 4)) {
        look_into_zip(&p, b);
        return;
    }
    s = pickle_open(b, 0, b->size, gzip || (zlib && named) ? ZLIB_OR_GZIP : RAW);
    if (s != NULL)
        look(&p, s, named);
    pickle_close(s);
}
