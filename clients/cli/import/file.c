/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/import/import.h"

#include "clients/cli/import/ours.h"
#include "clients/cli/import/seen.h"
#include "core/crypto.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEPTH_MAX = 32, FOLDER_MAX = 100000, PAGES_MAX = 10000 };

/* A walk over the files of one run or model, folder by folder on both sides. */
struct walk {
    struct import *im;
    const struct files *files;
    int depth;
};

static const char *name_of(const struct walk *w, const char *path)
{
    return arena_printf(w->im->work.arena, "%s/%s", w->files->what, path);
}

/* A file without a name, gone with the program however that ends. */
static FILE *spool_open(void)
{
    const char *folder = getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe): one thread */
    char name[4096];
    FILE *file = NULL;
    int fd;

    (void)snprintf(name, sizeof(name), "%s/chancery-XXXXXX",
                   folder == NULL || *folder == '\0' ? "/tmp" : folder);
    fd = mkstemp(name);
    if (fd >= 0) {
        (void)unlink(name);
        file = fdopen(fd, "w+b");
    }
    if (file == NULL)
        die(USAGE, "%s: no temporary file can be made there", name);
    return file;
}

static struct digest spool_digest(FILE *file, int64_t *size)
{
    struct sha256 *hash = sha256_begin();
    unsigned char piece[65536];
    size_t got;

    *size = 0;
    if (fflush(file) != 0 || fseeko(file, 0, SEEK_SET) != 0)
        die(USAGE, "there is no room for a file on its way: set TMPDIR to a folder that has it");
    while ((got = fread(piece, 1, sizeof(piece), file)) > 0) {
        sha256_add(hash, piece, got);
        *size += (int64_t)got;
    }
    if (ferror(file))
        die(USAGE, "a temporary file cannot be read");
    return sha256_end(hash);
}

/* Where the source serves a file: from its artifact store when it says so, by name and never at an
 * address of its own; else by the routes that read for us. */
static const char *source_path(const struct walk *w, const char *path)
{
    static const char scheme[] = "mlflow-artifacts:/";
    const struct files *f = w->files;
    const struct cli *c = &w->im->work;
    const char *uri = f->source_uri == NULL ? "" : f->source_uri;
    const char *root = uri + strlen(scheme);

    if (strncmp(uri, scheme, strlen(scheme)) == 0 && *root != '/' && path_valid(root))
        return path_of(c, "/api/2.0/mlflow-artifacts/artifacts/{+}/{+}", root, path, NULL);
    if (f->model)
        return path_query(
            c,
            path_of(c, "/ajax-api/2.0/mlflow/logged-models/{}/artifacts/files", f->source_id, NULL),
            "artifact_file_path", path);
    return path_query(c, path_query(c, "/get-artifact", "run_id", f->source_id), "path", path);
}

/* The listing of a folder at the source; NULL, with *why, when there is none. */
static const json_t *source_folder(const struct walk *w, const char *folder, const char *token,
                                   const char **why)
{
    const struct files *f = w->files;
    const struct cli *c = &w->im->work;
    const char *path;

    if (f->model)
        path = path_query(
            c, path_of(c, OURS "/logged-models/{}/artifacts/directories", f->source_id, NULL),
            "artifact_directory_path", *folder == '\0' ? NULL : folder);
    else
        path = path_query(c, path_query(c, OURS "/artifacts/list", "run_id", f->source_id), "path",
                          *folder == '\0' ? NULL : folder);
    return source_ask(c, w->im->source, path_query(c, path, "page_token", token), NULL, why);
}

static const json_t *our_folder(const struct walk *w, const char *folder)
{
    struct import *im = w->im;
    const char *place =
        arena_printf(im->work.arena, "%s%s%s", w->files->place, *folder == '\0' ? "" : "/", folder);
    struct said s =
        ours_ask(im, "GET",
                 path_query(&im->work, "/api/2.0/mlflow-artifacts/artifacts", "path", place), NULL);

    return json_object_get(s.json, "files");
}

/* Ours of that name; NULL for none. Our listing has names without their folders. */
static const json_t *our_file(const json_t *listing, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    const json_t *item;
    size_t i;

    json_array_foreach(listing, i, item)
    {
        const char *known = text_at(item, "path");

        if (known != NULL && strcmp(known, name) == 0)
            return item;
    }
    return NULL;
}

/* The bytes at the source as a temporary file, with their digest; NULL, with a difference. */
static FILE *fetch(const struct walk *w, const json_t *item, char hex[2 * SHA256_SIZE + 1],
                   int64_t *size)
{
    const json_t *listed = json_object_get(item, "file_size");
    bool sized = listed != NULL && !json_is_null(listed);
    int64_t most = sized ? number_at(item, "file_size") : SIZE_UNSAID;
    const char *path = text_at(item, "path");
    FILE *file = spool_open();
    struct digest d;
    const char *why;

    if (!source_file(&w->im->work, w->im->source, source_path(w, path), file, most, &why)) {
        report_differs(w->im->report, name_of(w, path), "%s", why);
        (void)fclose(file);
        return NULL;
    }
    d = spool_digest(file, size);
    hex_encode(d.bytes, sizeof(d.bytes), hex);
    return file;
}

static bool put(const struct walk *w, const char *path, FILE *file, const char *hex, int64_t size)
{
    struct import *im = w->im;
    uint8_t bytes[SHA256_SIZE];
    const char *digest;
    struct said s;

    (void)hex_decode(hex, bytes, sizeof(bytes));
    digest = arena_printf(im->work.arena, "Content-Digest: sha-256=:%s:",
                          base64_encode(im->work.arena, bytes, sizeof(bytes)));
    s = ours_put(im,
                 path_of(&im->work, "/api/2.0/mlflow-artifacts/artifacts/{+}/{+}", w->files->place,
                         path, NULL),
                 file, size, digest);
    if (s.code != NULL)
        report_differs(im->report, name_of(w, path), "%s: %s", s.code, s.why);
    return s.code == NULL;
}

/* Bring one file over, and see under which digest it is here then. */
static void bring(const struct walk *w, const json_t *item, const json_t *known)
{
    const char *path = text_at(item, "path");
    const char *old = text_at(known, "sha256");
    char hex[2 * SHA256_SIZE + 1];
    int64_t size = 0;
    FILE *file = fetch(w, item, hex, &size);
    bool good = false;

    if (file == NULL)
        return;
    if (old != NULL && strcmp(old, hex) == 0)
        good = true;
    else if (old != NULL)
        report_differs(w->im->report, name_of(w, path),
                       "the source's SHA-256 is %s, ours is %s; it stays as it is here", hex, old);
    else
        good = put(w, path, file, hex, size);
    if (good && old == NULL)
        report_wrote(w->im->report, FILES, 1);
    report_count(w->im->report, FILES, 0, good ? 1 : 0);
    report_count(w->im->report, FILE_BYTES, size, good ? size : 0);
    (void)fclose(file);
}

/* What is here was put under the digest of what was read, so a file of its size is there whole. */
static void file_import(const struct walk *w, const json_t *item, const json_t *listing)
{
    const json_t *known = our_file(listing, text_at(item, "path"));
    int64_t size = number_at(item, "file_size");

    report_count(w->im->report, FILES, 1, 0);
    if (w->im->dry) {
        report_count(w->im->report, FILE_BYTES, size, 0);
    } else if (known == NULL || w->im->reread || number_at(known, "file_size") != size ||
               text_at(known, "sha256") == NULL) {
        bring(w, item, known);
    } else {
        report_count(w->im->report, FILES, 0, 1);
        report_count(w->im->report, FILE_BYTES, size, size);
    }
}

/* What a listing names must be a member of the folder that was asked for. */
static bool member_valid(const struct walk *w, const char *folder, const char *path)
{
    size_t length = strlen(folder);
    bool below;

    if (path == NULL) {
        report_differs(w->im->report, name_of(w, folder), "the source lists a file without a path");
        return false;
    }
    below = length == 0 || (strncmp(path, folder, length) == 0 && path[length] == '/');
    if (below && path_valid(path) && strchr(path + length + (length > 0 ? 1 : 0), '/') == NULL)
        return true;
    report_differs(w->im->report, name_of(w, "?"),
                   "the source lists %.300s, which is no path of a file in %s/", path, folder);
    return false;
}

static void folder_import(struct walk *w, const char *folder);

static void member_import(struct walk *w, const char *folder, const json_t *item,
                          const json_t *listing)
{
    struct arena *kept;
    const char *path = text_at(item, "path");

    if (!member_valid(w, folder, path))
        return;
    kept = unit_begin(w->im);
    if (!json_is_true(json_object_get(item, "is_dir")))
        file_import(w, item, listing);
    else if (w->depth >= DEPTH_MAX)
        report_differs(w->im->report, name_of(w, path), "folders are nested more than %d deep",
                       DEPTH_MAX);
    else
        folder_import(w, path); /* NOLINT(misc-no-recursion): DEPTH_MAX */
    unit_end(w->im, kept);
}

/* Every page of a folder. NOLINTNEXTLINE(misc-no-recursion) */
static void folder_import(struct walk *w, const char *folder)
{
    const json_t *listing = w->im->dry ? NULL : our_folder(w, folder);
    const char *token = NULL;
    int pages = 0;

    w->depth++;
    do {
        const char *why = "its pages have no end";
        const json_t *page = pages++ < PAGES_MAX ? source_folder(w, folder, token, &why) : NULL;
        const json_t *items = json_object_get(page, "files");
        const json_t *item;
        size_t i;

        if (page == NULL || json_array_size(items) > FOLDER_MAX)
            report_differs(w->im->report, name_of(w, folder), "it cannot be listed: %s",
                           page == NULL ? why : "it has too many files");
        else
            json_array_foreach(items, i, item) member_import(w, folder, item, listing);
        token = json_array_size(items) == 0 ? NULL : text_at(page, "next_page_token");
    } while (token != NULL && *token != '\0');
    w->depth--;
}

bool files_import(struct import *im, const struct files *f)
{
    struct walk w = {.im = im, .files = f};
    size_t before = report_differences(im->report);
    struct arena *kept = unit_begin(im);
    bool good;

    folder_import(&w, "");
    unit_end(im, kept);
    good = report_differences(im->report) == before;
    (void)seen_add(good ? im->whole : im->broken, f->source_id, strlen(f->source_id));
    return good;
}
