/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/bundle.h"

#include "clients/cli/http.h"
#include "clients/cli/print.h"
#include "clients/cli/run.h"
#include "clients/cli/table.h"
#include "clients/cli/vkeys.h"
#include "lineage/sealed/ustar.h"

#include <errno.h>
#include <string.h>

enum { PIECE = 1 << 16 };

/* Where a reader is in the archive. */
struct reader {
    struct bundle_file *b;
    uint8_t block[USTAR_BLOCK]; /* the header that is next */
    int64_t at;
};

static _Noreturn void unfit(const struct cli *c, const char *what)
{
    die(UNVERIFIED, "unverified: %s", clean_text(c->arena, what));
}

static void take(struct cli *c, struct reader *r, void *out, size_t length)
{
    if (fread(out, 1, length, r->b->file) != length)
        unfit(c, "the bundle is cut off");
    r->at += (int64_t)length;
}

static void skip_padding(struct cli *c, struct reader *r, int64_t size, const char *name)
{
    uint8_t zeros[USTAR_BLOCK];
    size_t length = ustar_padding(size);

    take(c, r, zeros, length);
    if (!ustar_zero(zeros, length))
        unfit(c, arena_printf(c->arena, "there is something behind %s", name));
}

/* What sealed_open will judge is only measured here. */
static void take_head(struct cli *c, struct reader *r)
{
    struct text *head = &r->b->head;
    char name[USTAR_NAME_MAX + 1], piece[PIECE];
    int64_t size;

    for (;;) {
        take(c, r, r->block, USTAR_BLOCK);
        if (ustar_zero(r->block, USTAR_BLOCK))
            return;
        if (!ustar_read(r->block, name, &size))
            unfit(c, "a member's header is not one that bundles have");
        if (strncmp(name, SEALED_FILES, strlen(SEALED_FILES)) == 0)
            return;
        text_add(head, (const char *)r->block, USTAR_BLOCK);
        for (int64_t left = size + (int64_t)ustar_padding(size); left > 0 && !head->failed;) {
            size_t part = left < PIECE ? (size_t)left : PIECE;

            take(c, r, piece, part);
            text_add(head, piece, part);
            left -= (int64_t)part;
        }
        if (head->failed)
            unfit(c, "the bundle's head is too large");
    }
}

static void take_file(struct cli *c, struct reader *r, const struct sealed_member *m)
{
    struct sha256 *hash = sha256_begin();
    uint8_t header[USTAR_BLOCK], piece[PIECE];
    struct digest digest;

    if (!ustar_write(m->name, m->size, header) || memcmp(header, r->block, sizeof(header)) != 0)
        unfit(c, arena_printf(c->arena, "something stands where %s must stand", m->name));
    for (int64_t left = m->size; left > 0;) {
        size_t part = left < PIECE ? (size_t)left : PIECE;

        take(c, r, piece, part);
        sha256_add(hash, piece, part);
        left -= (int64_t)part;
    }
    digest = sha256_end(hash);
    if (!digest_equal(&digest, &m->sha256))
        unfit(c, arena_printf(c->arena, "%s is not what the listing says it is", m->name));
    skip_padding(c, r, m->size, m->name);
}

static void take_files(struct cli *c, struct reader *r)
{
    const struct sealed *s = &r->b->sealed;

    r->b->places = arena_alloc(c->arena, (s->count + 1) * sizeof(*r->b->places));
    for (size_t i = s->small; i < s->count; i++) {
        r->b->places[i] = r->at;
        take_file(c, r, &s->members[i]);
        r->b->bytes += s->members[i].size;
        take(c, r, r->block, USTAR_BLOCK);
    }
    if (!ustar_zero(r->block, USTAR_BLOCK))
        unfit(c, "there is a member that the listing does not name");
    take(c, r, r->block, USTAR_BLOCK);
    if (!ustar_zero(r->block, USTAR_BLOCK) || fgetc(r->b->file) != EOF)
        unfit(c, "there is something behind the end");
}

void bundle_check(struct cli *c, const char *path, const struct sealed_trust *trust,
                  struct bundle_file *out)
{
    struct reader r = {.b = out};
    struct sealed_fault fault;

    *out = (struct bundle_file){.file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rbe"),
                                .head = text_new(SEALED_HEAD_MAX)};
    if (out->file == NULL)
        die(USAGE, "%s: %s", path, strerrordesc_np(errno));
    take_head(c, &r);
    if (!sealed_open(c->arena, out->head.data, out->head.length, trust, &out->sealed, &fault))
        unfit(c, fault.text);
    take_files(c, &r);
}

void bundle_close(struct bundle_file *b)
{
    if (b->file != stdin)
        (void)fclose(b->file);
    text_free(&b->head);
}

struct sealed_trust bundle_trust(struct cli *c)
{
    const char *path = option(c, "--vkey");
    struct vkeys *keys = arena_alloc(c->arena, sizeof(*keys));

    if (path == NULL)
        return (struct sealed_trust){.own = true};
    vkeys_read(c, path, keys);
    return (struct sealed_trust){.keys = keys->keys, .count = keys->count};
}

void bundle_tell(const struct cli *c, const struct bundle_file *b, const char *what)
{
    const struct sealed *s = &b->sealed;
    size_t versions = json_array_size(s->versions), files = s->count - s->small;

    if (c->json) {
        char hex[2 * SHA256_SIZE + 1];

        hex_encode(s->id.bytes, SHA256_SIZE, hex);
        print_json(
            keep(c, json_pack("{s:s, s:s, s:s, s:O, s:I, s:I, s:I, s:I, s:I}", "bundle", hex,
                              "origin", s->origin, "key", s->signer, "versions",
                              json_object_get(s->listing, "versions"), "files", (json_int_t)files,
                              "bytes", (json_int_t)b->bytes, "edges", (json_int_t)s->edges,
                              "proven", (json_int_t)s->proven, "entries", (json_int_t)s->entries)));
        return;
    }
    say(c, "%s: %zu version%s, %zu file%s, %s", what, versions, versions == 1 ? "" : "s", files,
        files == 1 ? "" : "s", size_text(c->arena, (json_int_t)b->bytes));
    for (size_t i = 0; i < versions; i++)
        say(c, "  %s", clean_text(c->arena, sealed_text(json_array_get(s->versions, i), "node")));
    say(c,
        "sealed by %s at %s; %zu of %zu edges of the history are proven by %zu entries of its log",
        s->signer, clean_text(c->arena, sealed_text(s->listing, "created")), s->proven, s->edges,
        s->entries);
}

int run_bundle_verify(struct cli *c)
{
    const struct sealed_trust trust = bundle_trust(c);
    struct bundle_file b;

    if (trust.own)
        die(USAGE, "usage: bundle verify needs --vkey FILE, a key you have from elsewhere");
    bundle_check(c, c->args.values[0], &trust, &b);
    bundle_tell(c, &b, "verified");
    bundle_close(&b);
    return DONE;
}
