/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LOG_FILES_H
#define TESTS_LOG_FILES_H

#include "lineage/grow.h"
#include "lineage/note.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A log in a directory, grown with log_grow as the service grows its own in the database. */

enum { LOG_ENTRY_ROOM = 512, LOG_BATCH_MAX = 65536 };

struct log_files {
    char directory[256];
    struct log_head head;
    struct note_key key;
    uint8_t secret[ED25519_KEY];
};

static inline bool file_write(const char *directory, const char *file, const void *bytes,
                              size_t length)
{
    char path[512];
    FILE *f;
    bool fine;

    (void)snprintf(path, sizeof(path), "%s/%s", directory, file);
    for (char *slash = path + strlen(directory) + 1; (slash = strchr(slash, '/')) != NULL;
         slash++) {
        *slash = '\0';
        if (mkdir(path, 0777) != 0 && errno != EEXIST)
            return false;
        *slash = '/';
    }
    f = fopen(path, "wb");
    if (f == NULL)
        return false;
    fine = fwrite(bytes, 1, length, f) == length;
    return fclose(f) == 0 && fine;
}

static inline bool log_files_begin(struct log_files *l, const char *directory, const char *origin)
{
    uint8_t public[ED25519_KEY];

    (void)snprintf(l->directory, sizeof(l->directory), "%s", directory);
    l->head = log_head_empty();
    ed25519_generate(l->secret, public);
    return note_key(origin, public, &l->key) == OK;
}

static inline int log_files_remove_one(const char *path, const struct stat *about, int kind,
                                       struct FTW *place)
{
    (void)about;
    (void)kind;
    (void)place;
    return remove(path);
}

static inline bool log_files_remove(const char *directory)
{
    return nftw(directory, log_files_remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0;
}

/* Entry number index: JSON of varying length, some 300 bytes on average. */
static inline size_t log_entry(uint64_t index, char out[LOG_ENTRY_ROOM])
{
    int pad = 150 + (int)(index * 2654435761U % 300);

    return (size_t)snprintf(out, LOG_ENTRY_ROOM, "{\"index\":%llu,\"pad\":\"%0*d\"}",
                            (unsigned long long)index, pad, 0);
}

static inline bool growth_write(struct log_files *l, const struct growth *g)
{
    for (size_t i = 0; i < g->count; i++) {
        char file[TILE_PATH];

        tile_path(g->writes[i].tile, file);
        if (!file_write(l->directory, file, g->writes[i].bytes, g->writes[i].length))
            return false;
    }
    return true;
}

/* Append count more entries in one batch. */
static inline enum err log_files_grow(struct log_files *l, size_t count)
{
    struct tile_source edges = {log_file_load, l->directory};
    struct arena *a = arena_new();
    struct log_leaf *leaves = arena_alloc(a, (count + 1) * sizeof(*leaves));
    struct growth g;
    enum err e;

    for (size_t i = 0; i < count; i++) {
        char *entry = arena_alloc(a, LOG_ENTRY_ROOM);

        leaves[i] = (struct log_leaf){entry, log_entry(l->head.size + i, entry)};
    }
    e = log_grow(a, &l->head, &edges, leaves, count, &g);
    if (e == OK && !growth_write(l, &g))
        e = ERR_STORAGE;
    if (e == OK)
        l->head = g.head;
    arena_free(a);
    return e;
}

/* Sign the present head. */
static inline enum err log_files_sign(struct log_files *l)
{
    struct checkpoint c = {.size = l->head.size, .root = l->head.root};
    struct text body = text_new(4096), note = text_new(NOTE_MAX);
    enum err e;

    (void)snprintf(c.origin, sizeof(c.origin), "%s", l->key.name);
    checkpoint_write(&body, &c);
    e = note_begin(&note, body.data, body.length);
    if (e == OK)
        e = note_sign(&note, &l->key, l->secret);
    if (e == OK && !file_write(l->directory, "checkpoint", note.data, note.length))
        e = ERR_STORAGE;
    text_free(&body);
    text_free(&note);
    return e;
}

#endif
