/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/asset.h"

#include "clients/cli/http.h"
#include "clients/cli/print.h"
#include "clients/cli/progress.h"
#include "core/crypto.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WHOLE_MAX = 64 << 20, PIECE = 16 << 20, TRIES = 8, PAUSE_MAX = 30 };

struct source {
    FILE *file;
    const char *local;
    const char *path; /* in the version */
    int64_t base;     /* where in the local file it begins */
    int64_t size;
    struct digest sha256;
};

static _Noreturn void die_of(const char *path)
{
    die(USAGE, "%s: %s", path, strerrordesc_np(errno));
}

static void source_open(struct source *s, const char *local, const char *path)
{
    struct sha256 *hash = sha256_begin();
    unsigned char piece[65536];
    struct stat st;
    size_t got;

    *s = (struct source){.file = fopen(local, "rbe"), .local = local, .path = path};
    if (s->file == NULL || fstat(fileno(s->file), &st) != 0)
        die_of(local);
    if (!S_ISREG(st.st_mode))
        die(USAGE, "%s is not a regular file", local);
    while ((got = fread(piece, 1, sizeof(piece), s->file)) > 0) {
        sha256_add(hash, piece, got);
        s->size += (int64_t)got;
    }
    if (ferror(s->file))
        die_of(local);
    s->sha256 = sha256_end(hash);
}

static const char *digest_header(const struct cli *c, const struct digest *d)
{
    return arena_printf(c->arena, "Content-Digest: sha-256=:%s:",
                        base64_encode(c->arena, d->bytes, sizeof(d->bytes)));
}

static void seek(const struct source *s, int64_t offset)
{
    if (fseeko(s->file, (off_t)(s->base + offset), SEEK_SET) != 0)
        die_of(s->local);
}

static void send_whole(const struct cli *c, const char *version, const struct source *s)
{
    struct call call = {
        .method = "PUT",
        .path = arena_printf(c->arena, "%s/files/%s", version, path_of(c, "{+}", s->path, NULL)),
        .file = s->file,
        .size = s->size,
        .headers = {digest_header(c, &s->sha256)},
        .progress = s->path,
        .patient = true};

    seek(s, 0);
    reply_expect(c, http_call(c, &call));
}

/* Where the service has got to, once it can be asked again. */
static int64_t received(const struct cli *c, const char *upload)
{
    struct call call = {.method = "GET", .path = upload};
    const struct reply *r = http_call(c, &call);

    for (unsigned tries = 1; r->problem != NULL && tries < TRIES; tries++) {
        note(c, "%s; trying again", r->problem);
        pause_seconds(1U << tries < PAUSE_MAX ? 1U << tries : PAUSE_MAX);
        r = http_call(c, &call);
    }
    reply_expect(c, r);
    return json_integer_value(json_object_get(reply_json(c, r), "received"));
}

/* One piece from offset; the offset to go on from. */
static int64_t send_piece(const struct cli *c, const char *upload, const struct source *s,
                          int64_t offset)
{
    int64_t size = s->size - offset < PIECE ? s->size - offset : PIECE;
    struct call call = {
        .method = "PATCH",
        .path = upload,
        .file = s->file,
        .size = size,
        .headers = {arena_printf(c->arena, "Upload-Offset: %lld", (long long)offset)},
        .patient = true};
    const struct reply *r;

    seek(s, offset);
    r = http_call(c, &call);
    if (r->problem != NULL || r->status >= 500 || r->status == 409)
        return received(c, upload);
    reply_expect(c, r);
    return offset + size;
}

static void send_pieces(const struct cli *c, const char *version, const struct source *s)
{
    char hex[2 * SHA256_SIZE + 1];
    const char *upload;
    const json_t *begun;
    int64_t offset = 0;
    unsigned stuck = 0;

    hex_encode(s->sha256.bytes, sizeof(s->sha256.bytes), hex);
    begun = api(c, "POST", arena_printf(c->arena, "%s/uploads", version),
                keep(c, json_pack("{s:s, s:I, s:s}", "path", s->path, "size", (json_int_t)s->size,
                                  "sha256", hex)));
    upload = arena_printf(c->arena, "%s/uploads/%s", version,
                          json_string_value(json_object_get(begun, "id")));
    while (offset < s->size) {
        int64_t next = send_piece(c, upload, s, offset);

        stuck = next > offset ? 0 : stuck + 1;
        if (stuck == TRIES || next < 0 || next > s->size)
            die(FAILED, "%s: the service takes no more of it", s->local);
        offset = next;
        if (progress_wanted(c))
            progress_bar(s->path, (double)offset / (double)s->size, "");
    }
    progress_end();
}

static void send_source(const struct cli *c, const char *version_path, const struct source *s)
{
    if (s->size > WHOLE_MAX)
        send_pieces(c, version_path, s);
    else
        send_whole(c, version_path, s);
}

void transfer_send(const struct cli *c, const char *version_path, const char *local,
                   const char *path)
{
    struct source s;

    source_open(&s, local, path);
    send_source(c, version_path, &s);
    (void)fclose(s.file);
}

void transfer_send_part(const struct cli *c, const char *version_path, const char *path,
                        const struct transfer_part *part)
{
    send_source(c, version_path,
                &(struct source){.file = part->file,
                                 .local = path,
                                 .path = path,
                                 .base = part->base,
                                 .size = part->size,
                                 .sha256 = part->sha256});
}

struct target {
    FILE *file;
    struct sha256 *hash;
};

static bool on_bytes(void *context, const char *data, size_t length)
{
    struct target *t = context;

    sha256_add(t->hash, data, length);
    return fwrite(data, 1, length, t->file) == length;
}

/* The digest that the service announced (RFC 9530). */
static bool digest_right(const struct cli *c, const struct reply *r, const struct digest *found)
{
    const char *announced = reply_header(r, "content-digest");
    const char *wanted = digest_header(c, found) + strlen("Content-Digest: ");

    return announced != NULL && strcmp(announced, wanted) == 0;
}

void transfer_fetch(const struct cli *c, const char *version_path, const char *path,
                    const char *local)
{
    const char *part = arena_printf(c->arena, "%s.part", local);
    struct target t = {.hash = sha256_begin()};
    struct call call = {
        .method = "GET",
        .path = arena_printf(c->arena, "%s/files/%s", version_path, path_of(c, "{+}", path, NULL)),
        .sink = on_bytes,
        .context = &t,
        .progress = path,
        .patient = true};
    const struct reply *r;
    struct digest found;
    bool written;

    file_write(part, "", 0);
    t.file = fopen(part, "wbe");
    if (t.file == NULL)
        die_of(part);
    r = http_call(c, &call);
    written = fclose(t.file) == 0;
    found = sha256_end(t.hash);
    if (r->problem != NULL || r->status != 200 || !written || !digest_right(c, r, &found))
        (void)unlink(part);
    reply_expect(c, r);
    if (!digest_right(c, r, &found))
        die(UNVERIFIED, "%s: the bytes received are not those the service announced", path);
    if (!written || rename(part, local) != 0)
        die_of(local);
    say(c, "%s", local);
}
