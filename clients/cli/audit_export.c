/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/run.h"

#include "clients/cli/http.h"
#include "clients/cli/print.h"
#include "clients/cli/progress.h"
#include "clients/cli/vkeys.h"
#include "lineage/note.h"
#include "lineage/tile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PAYLOADS_PAGE = 500, FILE_NAME_MAX = 4096 };

/* An export lays the log out as C2SP tlog-tiles names it, so that foreign verifiers read it too:
 * checkpoint, vkey, tile/…, and beside them payloads.jsonl. */
struct export
{
    const struct cli *cli;
    const char *folder;
    struct checkpoint head;
    struct checkpoint old; /* of the last export into the folder; size 0: there was none */
};

static const char *inside(const struct export *x, const char *name)
{
    return arena_printf(x->cli->arena, "%s/%s", x->folder, name);
}

static const struct reply *fetch(const struct export *x, const char *path)
{
    const struct reply *r = http_call(x->cli, &(struct call){.method = "GET", .path = path});

    reply_expect(x->cli, r);
    return r;
}

/* The key of a folder that was exported before is the one known; another must have been named by
 * it. */
static void fetch_vkey(const struct export *x, struct vkeys *keys)
{
    const struct reply *r = fetch(x, "/v1/audit/log/vkey");
    const char *path = inside(x, "vkey");
    char *text = arena_copy(x->cli->arena, r->body, strcspn(r->body, "\r\n"));
    struct note_key key;

    if (note_vkey_parse(text, &key) != OK)
        die(FAILED, "the service answered something that is not a verifier key");
    *keys = (struct vkeys){.keys = {key}, .count = 1};
    if (access(path, F_OK) == 0) {
        vkeys_read(x->cli, path, keys);
        if (!vkeys_follow(x->cli, keys, &key))
            die(UNVERIFIED, "%s: the service now signs with another key", path);
    }
    file_write(path, r->body, r->length);
}

/* A checkpoint that was exported before stays beside the new one, under its size. */
static void keep_old(struct export *x, const struct vkeys *keys)
{
    const char *path = inside(x, "checkpoint");
    struct checkpoint *old = &x->old;
    size_t length;
    char *text;

    if (access(path, F_OK) != 0)
        return;
    text = file_read(x->cli, path, NOTE_MAX, &length);
    if (checkpoint_open(text, length, keys->keys, keys->count, old) != NOTE_GOOD)
        die(UNVERIFIED, "%s: the checkpoint of the last export is not genuine", path);
    if (old->size > x->head.size)
        die(UNVERIFIED, "rewritten: the log has shrunk from %llu to %llu entries since then",
            (unsigned long long)old->size, (unsigned long long)x->head.size);
    file_write(arena_printf(x->cli->arena, "%s.%llu", path, (unsigned long long)old->size), text,
               length);
}

static enum err load_tile(void *context, struct tile t, struct text *out)
{
    const struct export *x = context;
    char path[TILE_PATH];
    size_t length;
    char *bytes;

    tile_path(t, path);
    bytes = file_read(x->cli, inside(x, path), TILE_BYTES, &length);
    text_add(out, bytes, length);
    return OK;
}

/* The tree of the last export must be the beginning of this one (RFC 6962 §2.1.2): its root is
 * computed from the new tiles. */
static void check_continues(struct export *x)
{
    const struct tile_source source = {.load = load_tile, .context = x};
    struct tile_reader *tiles = tile_reader_new(&source, x->head.size);
    struct merkle_nodes nodes = tile_nodes(tiles);
    struct digest root;
    enum err e = merkle_root(&nodes, x->old.size, &root);

    tile_reader_free(tiles);
    if (x->old.size == 0)
        return;
    if (e != OK || !digest_equal(&root, &x->old.root))
        die(UNVERIFIED, "rewritten: the first %llu entries are not those of the last export",
            (unsigned long long)x->old.size);
}

static void fetch_checkpoint(struct export *x)
{
    struct vkeys keys;
    const struct reply *r;

    fetch_vkey(x, &keys);
    r = fetch(x, "/v1/audit/log/checkpoint");
    if (checkpoint_open(r->body, r->length, keys.keys, keys.count, &x->head) != NOTE_GOOD)
        die(UNVERIFIED, "the service's checkpoint is not signed by its key");
    keep_old(x, &keys);
    file_write(inside(x, "checkpoint"), r->body, r->length);
}

static void fetch_level(const struct export *x, unsigned level)
{
    uint64_t count = tile_count(level, x->head.size);

    for (uint64_t at = 0; at < count; at += TILE_WIDTH) {
        char path[TILE_PATH];
        const struct reply *r;

        tile_path(tile_at(level, at, x->head.size), path);
        r = fetch(x, arena_printf(x->cli->arena, "/v1/audit/log/%s", path));
        file_write(inside(x, path), r->body, r->length);
        if (progress_wanted(x->cli))
            progress_bar("audit log", (double)at / (double)count, path);
    }
    if (progress_wanted(x->cli))
        progress_end();
}

/* Lines of entries that came after the checkpoint are left out: nothing here proves them. */
static void add_lines(const struct export *x, const struct reply *r, FILE *to)
{
    const char *at = r->body;
    const char *end = r->body + r->length;

    while (at < end) {
        size_t length = strcspn(at, "\n");
        json_t *line = json_loadb(at, length, 0, NULL);
        json_int_t index = json_integer_value(json_object_get(line, "index"));

        if (!json_is_integer(json_object_get(line, "index")) || index < 0)
            die(FAILED, "the service answered payloads that are not JSON lines");
        if ((uint64_t)index < x->head.size)
            (void)fprintf(to, "%.*s\n", (int)length, at);
        json_decref(line);
        at += length + (at[length] == '\n' ? 1 : 0);
    }
}

static void fetch_payloads(const struct export *x)
{
    const char *path = inside(x, "payloads.jsonl");
    const char *part = inside(x, "payloads.jsonl.part");
    FILE *to;

    file_write(part, "", 0);
    to = fopen(part, "wbe");
    if (to == NULL)
        die(USAGE, "%s cannot be written", part);
    for (uint64_t from = 0; from < x->head.size; from += PAYLOADS_PAGE)
        add_lines(
            x,
            fetch(x, arena_printf(x->cli->arena, "/v1/audit/payloads?from_index=%llu&limit=%d",
                                  (unsigned long long)from, PAYLOADS_PAGE)),
            to);
    if (fflush(to) != 0 || ferror(to) || fclose(to) != 0 || rename(part, path) != 0)
        die(USAGE, "%s: %s", path, strerrordesc_np(errno));
}

int run_audit_export(struct cli *c)
{
    struct export x = {.cli = c, .folder = c->args.values[0]};

    fetch_checkpoint(&x);
    for (unsigned level = 0; level < TILE_LEVELS; level++)
        fetch_level(&x, level);
    fetch_level(&x, TILE_ENTRIES);
    check_continues(&x);
    fetch_payloads(&x);
    if (c->json)
        print_json(keep(
            c, json_pack("{s:s, s:I}", "origin", x.head.origin, "size", (json_int_t)x.head.size)));
    say(c, "%llu entries of %s in %s", (unsigned long long)x.head.size, x.head.origin, x.folder);
    return DONE;
}

int run_audit_proof(struct cli *c)
{
    const struct export x = {.cli = c};
    const struct reply *r = fetch(&x, path_of(c, "/v1/audit/entries/{1}/proof", NULL));

    (void)fwrite(r->body, 1, r->length, stdout);
    return DONE;
}
