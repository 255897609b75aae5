/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/tile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    TILE_BITS = 8,
    GROUP = 1000,
    GROUPS_MAX = 7,
    KEPT = 2,
    CHUNK = 1 << 16,
    DIRECTORY_MAX = 4096
};

static const char entries_prefix[] = "tile/entries";

void tile_path(struct tile t, char out[TILE_PATH])
{
    unsigned groups[GROUPS_MAX];
    size_t count = 0, at;
    uint64_t rest = t.index;

    do {
        groups[count++] = (unsigned)(rest % GROUP);
        rest /= GROUP;
    } while (rest > 0 && count < GROUPS_MAX);
    if (t.level == TILE_ENTRIES)
        at = (size_t)snprintf(out, TILE_PATH, "%s", entries_prefix);
    else
        at = (size_t)snprintf(out, TILE_PATH, "tile/%u", t.level);
    while (count-- > 1)
        at += (size_t)snprintf(out + at, TILE_PATH - at, "/x%03u", groups[count]);
    at += (size_t)snprintf(out + at, TILE_PATH - at, "/%03u", groups[0]);
    if (t.width < TILE_WIDTH)
        (void)snprintf(out + at, TILE_PATH - at, ".p/%u", t.width);
}

/* Digits up to a character that is none; false without any or beyond max. */
static bool number(const char **at, uint64_t max, uint64_t *out)
{
    const char *start = *at;

    for (*out = 0; **at >= '0' && **at <= '9'; (*at)++) {
        *out = *out * 10 + (uint64_t)(**at - '0');
        if (*out > max)
            return false;
    }
    return *at > start;
}

/* "tile/entries" or "tile/<level>". */
static bool level_read(const char **at, unsigned *level)
{
    uint64_t value;

    *level = TILE_ENTRIES;
    if (strncmp(*at, entries_prefix, sizeof(entries_prefix) - 1) == 0) {
        *at += sizeof(entries_prefix) - 1;
        return true;
    }
    if (strncmp(*at, "tile/", 5) != 0)
        return false;
    *at += 5;
    if (!number(at, TILE_LEVELS - 1, &value))
        return false;
    *level = (unsigned)value;
    return true;
}

/* ".p/<width>" or nothing. */
static bool width_read(const char **at, unsigned *width)
{
    uint64_t value;

    *width = TILE_WIDTH;
    if (strncmp(*at, ".p/", 3) != 0)
        return true;
    *at += 3;
    if (!number(at, TILE_WIDTH - 1, &value) || value == 0)
        return false;
    *width = (unsigned)value;
    return true;
}

/* Reads loosely; the caller compares with the one right spelling. */
static bool path_read(const char *path, struct tile *t)
{
    uint64_t value;

    if (!level_read(&path, &t->level))
        return false;
    for (t->index = 0; *path == '/'; t->index = t->index * GROUP + value) {
        path += path[1] == 'x' ? 2 : 1;
        if (!number(&path, GROUP - 1, &value) || t->index > MERKLE_SIZE_MAX / GROUP)
            return false;
    }
    return width_read(&path, &t->width) && *path == '\0';
}

bool tile_path_parse(const char *path, struct tile *out)
{
    char again[TILE_PATH];
    struct tile t;

    if (!path_read(path, &t))
        return false;
    tile_path(t, again);
    if (strcmp(path, again) != 0)
        return false;
    *out = t;
    return true;
}

uint64_t tile_count(unsigned level, uint64_t size)
{
    return level == TILE_ENTRIES ? size : size >> (TILE_BITS * level);
}

struct tile tile_at(unsigned level, uint64_t at, uint64_t size)
{
    uint64_t index = at / TILE_WIDTH;
    uint64_t left = tile_count(level, size) - index * TILE_WIDTH;

    return (struct tile){level, index, left < TILE_WIDTH ? (unsigned)left : TILE_WIDTH};
}

struct tile_span tile_span(unsigned level, uint64_t from_size, uint64_t to_size)
{
    uint64_t from = tile_count(level, from_size), to = tile_count(level, to_size);
    struct tile_span s = {.first = from / TILE_WIDTH};

    if (to <= from)
        return s;
    s.count = (to - 1) / TILE_WIDTH + 1 - s.first;
    s.last_width = tile_at(level, to - 1, to_size).width;
    return s;
}

bool bundle_add(struct text *bundle, const void *entry, size_t length)
{
    char prefix[2] = {(char)(uint8_t)(length >> 8), (char)(uint8_t)length};

    if (length > ENTRY_MAX)
        return false;
    text_add(bundle, prefix, sizeof(prefix));
    text_add(bundle, entry, length);
    return !bundle->failed;
}

bool bundle_next(struct bundle *b, const uint8_t **entry, size_t *length)
{
    size_t left = b->length - b->at, size;
    const uint8_t *p;

    if (left < 2)
        return false;
    p = b->data + b->at;
    size = (size_t)p[0] << 8 | p[1];
    if (left - 2 < size)
        return false;
    *entry = p + 2;
    *length = size;
    b->at += 2 + size;
    return true;
}

/* Root of the complete subtree over count hashes, which stay as they are. */
static struct digest subtree(const struct digest *hashes, size_t count)
{
    struct digest work[TILE_WIDTH];

    memcpy(work, hashes, count * sizeof(*hashes));
    return merkle_fold(work, count);
}

struct digest tile_edge_root(const struct tile_edge edges[TILE_LEVELS])
{
    struct digest root = merkle_empty();
    bool any = false;

    for (unsigned level = 0; level < TILE_LEVELS; level++) {
        const struct tile_edge *edge = &edges[level];

        for (unsigned bit = 1, end = edge->width; end > 0; bit *= 2) {
            struct digest node;

            if ((end & bit) == 0)
                continue;
            end -= bit;
            node = subtree(edge->hashes + end, bit);
            root = any ? merkle_node(&node, &root) : node;
            any = true;
        }
    }
    return root;
}

enum err log_file_read(const char *directory, const char *file, struct text *out)
{
    char path[DIRECTORY_MAX], chunk[CHUNK];
    struct stat about;
    ssize_t got = -1;
    int fd;

    if (snprintf(path, sizeof(path), "%s/%s", directory, file) >= (int)sizeof(path))
        return ERR_STORAGE;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_STORAGE;
    if (fstat(fd, &about) == 0 && S_ISREG(about.st_mode)) {
        while ((got = read(fd, chunk, sizeof(chunk))) > 0 && !out->failed)
            text_add(out, chunk, (size_t)got);
    }
    (void)close(fd);
    return got < 0 ? ERR_STORAGE : OK;
}

enum err log_file_load(void *context, struct tile t, struct text *out)
{
    char file[TILE_PATH];

    tile_path(t, file);
    return log_file_read(context, file, out);
}

struct kept {
    struct tile tile; /* width 0 while there is none */
    struct text bytes;
};

struct tile_reader {
    struct tile_source from;
    uint64_t size;
    struct kept kept[TILE_LEVELS][KEPT];
    unsigned recent[TILE_LEVELS]; /* which of the two was used last */
};

struct tile_reader *tile_reader_new(const struct tile_source *from, uint64_t size)
{
    struct tile_reader *r = calloc(1, sizeof(*r));

    if (r == NULL)
        abort();
    r->from = *from;
    r->size = size;
    for (unsigned level = 0; level < TILE_LEVELS; level++) {
        for (unsigned i = 0; i < KEPT; i++)
            r->kept[level][i].bytes = text_new(TILE_BYTES);
    }
    return r;
}

void tile_reader_free(struct tile_reader *r)
{
    if (r == NULL)
        return;
    for (unsigned level = 0; level < TILE_LEVELS; level++) {
        for (unsigned i = 0; i < KEPT; i++)
            text_free(&r->kept[level][i].bytes);
    }
    free(r);
}

/* The bytes of t, kept from before or loaded over the one not used last. */
static enum err reader_tile(struct tile_reader *r, struct tile t, const char **bytes)
{
    unsigned recent = r->recent[t.level];
    struct kept *k = &r->kept[t.level][recent];
    enum err e = OK;

    if (k->tile.width == 0 || k->tile.index != t.index) {
        r->recent[t.level] = (recent + 1) % KEPT;
        k = &r->kept[t.level][r->recent[t.level]];
    }
    if (k->tile.width == 0 || k->tile.index != t.index) {
        k->tile.width = 0;
        text_free(&k->bytes);
        e = r->from.load(r->from.context, t, &k->bytes);
        if (e == OK && (k->bytes.failed || k->bytes.length != (size_t)t.width * SHA256_SIZE))
            e = ERR_CONTENT;
        if (e == OK)
            k->tile = t;
    }
    *bytes = k->bytes.data;
    return e;
}

static enum err reader_node(void *context, unsigned level, uint64_t index, struct digest *out)
{
    struct tile_reader *r = context;
    unsigned tile_level = level / TILE_BITS, height = level % TILE_BITS;
    size_t count = (size_t)1 << height;
    struct digest hashes[TILE_WIDTH];
    const char *bytes;
    struct tile t;
    enum err e;

    if (tile_level >= TILE_LEVELS || index >= r->size >> level)
        return ERR_RANGE;
    t = tile_at(tile_level, index << height, r->size);
    e = reader_tile(r, t, &bytes);
    if (e != OK)
        return e;
    memcpy(hashes, bytes + (index << height) % TILE_WIDTH * SHA256_SIZE, count * SHA256_SIZE);
    *out = merkle_fold(hashes, count);
    return OK;
}

struct merkle_nodes tile_nodes(struct tile_reader *r)
{
    return (struct merkle_nodes){reader_node, r};
}
