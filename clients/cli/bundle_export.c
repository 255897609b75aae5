/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/run.h"

#include "clients/cli/asset.h"
#include "clients/cli/bundle.h"
#include "clients/cli/http.h"
#include "clients/cli/print.h"
#include "clients/cli/table.h"
#include "lineage/sealed/ustar.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { TRIES = 20, ANY_NUMBER = 100000 };

/* The service seals the head; the files follow it, each fetched as any file is. */
struct writing {
    struct cli *cli;
    const char *path;
    const char *part;
    FILE *out;
    struct sha256 *hash;
    int64_t got;
    const char **places; /* of each version: "projects/P/models/risk/versions/3" */
};

static _Noreturn void give_up(const struct writing *w, enum verdict code, const char *why)
{
    (void)unlink(w->part);
    die(code, "%s: %s", w->path, clean_text(w->cli->arena, why));
}

static void put(const struct writing *w, const void *data, size_t length)
{
    if (fwrite(data, 1, length, w->out) != length)
        give_up(w, USAGE, strerrordesc_np(errno));
}

static json_t *wanted(struct cli *c)
{
    json_t *list = json_array();

    for (size_t i = 1; i < c->args.count; i++) {
        const char *text = c->args.values[i];
        size_t kind = strcspn(text, "/");

        if (text[kind] == '/' && strstr(text, "/versions/") == NULL)
            text = version_named(c, arena_copy(c->arena, text, kind), text + kind + 1);
        json_array_append_new(list, json_string(text));
    }
    return keep(c, json_pack("{s:o}", "versions", list));
}

/* A checkpoint over what happened just now may be a second away. */
static const struct reply *head(struct cli *c)
{
    struct call call = {.method = "POST",
                        .path = path_of(c, "/v1/projects/{project}/bundles", NULL),
                        .json = wanted(c),
                        .patient = true};
    const struct reply *r = http_call(c, &call);

    for (int i = 1; i < TRIES && r->problem == NULL && r->status == 503; i++) {
        pause_seconds(1);
        r = http_call(c, &call);
    }
    reply_expect(c, r);
    return r;
}

static bool on_bytes(void *context, const char *data, size_t length)
{
    struct writing *w = context;

    sha256_add(w->hash, data, length);
    w->got += (int64_t)length;
    return fwrite(data, 1, length, w->out) == length;
}

/* The version of that digest in the project. */
static const char *local(const struct cli *c, const json_t *version)
{
    const char *kind = arena_printf(c->arena, "%ss", sealed_text(version, "kind"));
    const char *name = sealed_text(version, "name"), *digest = sealed_text(version, "digest");
    const json_t *list = api_list(
        c, path_of(c, "/v1/projects/{project}/{}/{}/versions", kind, name, NULL), ANY_NUMBER);
    const json_t *one;
    size_t i;

    json_array_foreach(json_object_get(list, "value"), i, one)
    {
        if (strcmp(sealed_text(one, "digest"), digest) == 0)
            return arena_printf(c->arena, "projects/%s/%s/%s/versions/%lld", project_name(c), kind,
                                name,
                                (long long)json_integer_value(json_object_get(one, "number")));
    }
    die(REFUSED, "not-found: %s is not here any more", clean_text(c->arena, name));
}

/* Some version's path for those bytes. */
static const char *source(const struct writing *w, const struct sealed *s, const char *sha256)
{
    const json_t *version, *file;
    size_t i, k;

    json_array_foreach(s->versions, i, version)
    {
        const json_t *files = json_object_get(json_object_get(version, "manifest"), "files");

        json_array_foreach(files, k, file)
        {
            if (strcmp(sealed_text(file, "sha256"), sha256) == 0)
                return path_of(w->cli, "/v1/{+}/files/{+}", w->places[i], sealed_text(file, "path"),
                               NULL);
        }
    }
    return "";
}

static void add_file(struct writing *w, const struct sealed *s, const struct sealed_member *m)
{
    struct call call = {.method = "GET",
                        .path = source(w, s, m->name + strlen(SEALED_FILES)),
                        .sink = on_bytes,
                        .context = w,
                        .progress = m->name,
                        .patient = true};
    static const char zeros[USTAR_BLOCK];
    uint8_t header[USTAR_BLOCK];
    const struct reply *r;
    struct digest digest;

    (void)ustar_write(m->name, m->size, header);
    put(w, header, sizeof(header));
    w->hash = sha256_begin();
    w->got = 0;
    r = http_call(w->cli, &call);
    digest = sha256_end(w->hash);
    if (r->problem != NULL || r->status != 200)
        (void)unlink(w->part);
    reply_expect(w->cli, r);
    if (w->got != m->size || !digest_equal(&digest, &m->sha256))
        give_up(w, UNVERIFIED, "the bytes received are not those that were sealed");
    put(w, zeros, ustar_padding(m->size));
}

static void finish(const struct writing *w)
{
    static const char zeros[USTAR_END];

    put(w, zeros, sizeof(zeros));
    if (fflush(w->out) != 0 || fsync(fileno(w->out)) != 0 || fclose(w->out) != 0 ||
        rename(w->part, w->path) != 0)
        give_up(w, USAGE, strerrordesc_np(errno));
}

/* The head as it is, the files behind it, the end. */
static void write_bundle(struct cli *c, struct writing *w, const struct reply *r,
                         struct bundle_file *b)
{
    w->part = arena_printf(c->arena, "%s.part", w->path);
    file_write(w->part, "", 0);
    w->out = fopen(w->part, "wbe");
    if (w->out == NULL)
        give_up(w, USAGE, strerrordesc_np(errno));
    put(w, r->body, r->length);
    for (size_t i = b->sealed.small; i < b->sealed.count; i++) {
        add_file(w, &b->sealed, &b->sealed.members[i]);
        b->bytes += b->sealed.members[i].size;
    }
    finish(w);
    bundle_tell(c, b, w->path);
}

/* Whom to believe is said by --vkey; the versions are where they are called so, or here. */
static void open_head(struct cli *c, struct writing *w, const struct reply *r,
                      struct bundle_file *b, bool here)
{
    const struct sealed_trust trust = bundle_trust(c);
    struct sealed_fault fault;
    size_t count;

    if (!sealed_open(c->arena, r->body, r->length, &trust, &b->sealed, &fault))
        die(UNVERIFIED, "unverified: %s", clean_text(c->arena, fault.text));
    count = json_array_size(b->sealed.versions);
    w->places = arena_alloc(c->arena, (count + 1) * sizeof(*w->places));
    for (size_t i = 0; i < count; i++) {
        const json_t *version = json_array_get(b->sealed.versions, i);

        w->places[i] = here ? local(c, version) : sealed_text(version, "node");
    }
}

int run_bundle_export(struct cli *c)
{
    struct writing w = {.cli = c, .path = c->args.values[0]};
    struct bundle_file b = {.file = stdin};
    const struct reply *r = head(c);

    open_head(c, &w, r, &b, false);
    write_bundle(c, &w, r, &b);
    return DONE;
}

/* A bundle is the same bytes wherever it is put together from its head and its files. */
int run_bundle_fetch(struct cli *c)
{
    struct writing w = {.cli = c, .path = c->args.values[1]};
    struct bundle_file b = {.file = stdin};
    const struct reply *r = http_call(
        c, &(struct call){.method = "GET",
                          .path = path_of(c, "/v1/projects/{project}/bundles/{1}", NULL)});

    reply_expect(c, r);
    open_head(c, &w, r, &b, true);
    write_bundle(c, &w, r, &b);
    return DONE;
}
