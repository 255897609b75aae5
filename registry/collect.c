/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/collect.h"

#include "core/text.h"
#include "registry/blob.h"
#include "registry/blob_file.h"
#include "registry/collect_store.h"
#include "registry/transfer.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* Why an upload of a digest can never end with a row and no file, whatever happens beside it:
 *
 *   upload     BEGIN; lock(digest); make sure of the file; put the row and the reference; COMMIT
 *   collector  1. DELETE the row if unreferenced and untouched (a transaction of its own)
 *              2. BEGIN; lock(digest); no row? unlink the file; COMMIT
 *
 * The lock is held until the commit, so step 2 is wholly before or wholly after the upload. Before:
 * the upload finds no file and brings its own. After: step 2 sees the row and leaves the file. Step
 * 1 may fall anywhere: the upload puts the row again, or has it locked so that step 1 waits and
 * then finds it touched. A crash between 1 and 2, or in an upload before its commit, leaves a file
 * without a row, which step 2 removes when a later pass comes upon it. */

enum { BATCH = 500 };

struct pass {
    struct db *db;
    const char *tenant;
    int64_t grace;
    bool files;
    struct collected *count;
    struct rows tenants;
    const char *digest; /* the one being swept */
};

static enum err sweep(void *arg)
{
    const struct pass *p = arg;
    bool removed = false;

    TRY(blob_sweep(p->db, p->digest, &removed));
    p->count->files += removed;
    return OK;
}

static enum err sweep_digest(struct pass *p, const char *digest)
{
    p->digest = digest;
    return db_tx(p->db, TX_WRITE, p->tenant, sweep, p);
}

struct batch {
    struct pass *pass;
    const char *after;
    struct texts names;
    struct rows found;
    size_t at;
    bool gone;
};

static const char *word_at(const struct batch *b, size_t i)
{
    return ((const struct word *)b->found.items)[i].text;
}

static enum err find_candidates(void *arg)
{
    struct batch *b = arg;

    return collect_candidates(b->pass->db, b->pass->grace, b->after, BATCH, &b->found);
}

static enum err forget(void *arg)
{
    struct batch *b = arg;

    return collect_forget(b->pass->db, word_at(b, b->at), b->pass->grace, &b->gone);
}

static enum err collect_blob(struct pass *p, struct batch *b)
{
    TRY(db_tx(p->db, TX_POINT, p->tenant, forget, b));
    p->count->rows += b->gone;
    if (b->gone)
        TRY(sweep_digest(p, word_at(b, b->at)));
    b->after = word_at(b, b->at);
    return OK;
}

/* Step 1 and 2 for every digest that nothing refers to. */
static enum err collect_blobs(struct pass *p)
{
    struct batch b = {.pass = p, .after = ""};

    do {
        TRY(db_tx(p->db, TX_POINT, p->tenant, find_candidates, &b));
        for (b.at = 0; b.at < b.found.count; b.at++)
            TRY(collect_blob(p, &b));
    } while (b.found.count == BATCH);
    return OK;
}

static enum err delete_stale(void *arg)
{
    struct batch *b = arg;

    return collect_stale_uploads(b->pass->db, &b->found);
}

static enum err collect_uploads(struct pass *p)
{
    struct batch b = {.pass = p};

    TRY(db_tx(p->db, TX_POINT, p->tenant, delete_stale, &b));
    for (size_t i = 0; i < b.found.count; i++)
        transfer_discard(p->tenant, word_at(&b, i));
    p->count->uploads += (int64_t)b.found.count;
    return OK;
}

/* Whether a file has been as it is for the time of grace. A rename counts. */
static bool old(int dir, const char *name, int64_t grace)
{
    struct stat st;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
        return false;
    return time(NULL) - st.st_ctime >= grace;
}

/* What the names of our files in a directory look like, and what to do with those without a row. */
struct kind {
    size_t length; /* of the name without suffix */
    const char *suffix;
    enum err (*unknown)(void *batch);
    enum err (*remove)(struct pass *p, const char *name);
};

/* The names of the next old files, without suffix; none at the end. */
static void next_files(struct batch *b, const struct kind *k, DIR *d)
{
    struct arena *a = b->pass->db->arena;
    const struct dirent *entry;

    b->names.items = arena_alloc(a, BATCH * sizeof(*b->names.items));
    b->names.count = 0;
    /* Nobody else has this stream. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while (b->names.count < BATCH && (entry = readdir(d)) != NULL) {
        const char *name = entry->d_name;

        if (strlen(name) == k->length + strlen(k->suffix) &&
            strcmp(name + k->length, k->suffix) == 0 && old(dirfd(d), name, b->pass->grace))
            b->names.items[b->names.count++] = arena_copy(a, name, k->length);
    }
}

static enum err sweep_batch(struct batch *b, const struct kind *k)
{
    TRY(db_tx(b->pass->db, TX_POINT, b->pass->tenant, k->unknown, b));
    for (size_t i = 0; i < b->found.count; i++)
        TRY(k->remove(b->pass, word_at(b, i)));
    return OK;
}

static enum err sweep_directory(struct pass *p, const struct kind *k, const char *path)
{
    struct batch b = {.pass = p};
    DIR *d = opendir(path);
    enum err e = OK;

    if (d == NULL)
        return OK; /* nothing has been put there yet */
    do {
        next_files(&b, k, d);
        if (b.names.count > 0)
            e = sweep_batch(&b, k);
    } while (e == OK && b.names.count > 0);
    (void)closedir(d);
    return e;
}

static enum err unknown_blobs(void *arg)
{
    struct batch *b = arg;

    return collect_unknown_blobs(b->pass->db, &b->names, &b->found);
}

static enum err unknown_uploads(void *arg)
{
    struct batch *b = arg;

    return collect_unknown_uploads(b->pass->db, &b->names, &b->found);
}

static enum err discard_upload(struct pass *p, const char *id)
{
    transfer_discard(p->tenant, id);
    p->count->uploads++;
    return OK;
}

/* Files without a row, which crashes and given up uploads leave. */
static enum err sweep_files(struct pass *p)
{
    static const struct kind blobs = {(size_t)2 * SHA256_SIZE, "", unknown_blobs, sweep_digest};
    static const struct kind spools = {ID_SIZE - 1, ".part", unknown_uploads, discard_upload};
    struct arena *a = p->db->arena;
    const char *home = blob_home();

    TRY(sweep_directory(p, &spools, arena_printf(a, "%s/uploads/%s", home, p->tenant)));
    for (unsigned shelf = 0; p->files && shelf < 256; shelf++)
        TRY(sweep_directory(p, &blobs,
                            arena_printf(a, "%s/blobs/%s/%02x", home, p->tenant, shelf)));
    return OK;
}

static enum err collect_tenant(struct pass *p)
{
    TRY(collect_blobs(p));
    TRY(collect_uploads(p));
    return sweep_files(p);
}

static enum err list_tenants(void *arg)
{
    struct pass *p = arg;

    return collect_tenants(p->db, &p->tenants);
}

enum err collect_pass(struct db *db, int64_t grace_seconds, bool files, struct collected *out)
{
    struct pass p = {.db = db, .grace = grace_seconds, .files = files, .count = out};
    struct arena *outer = db->arena;
    struct arena *all = arena_new();
    enum err e;

    *out = (struct collected){.rows = 0};
    db->arena = all;
    e = db_tx(db, TX_POINT, NULL, list_tenants, &p);
    for (size_t i = 0; e == OK && i < p.tenants.count; i++) {
        p.tenant = ((const struct word *)p.tenants.items)[i].text;
        db->arena = arena_new();
        e = collect_tenant(&p);
        arena_free(db->arena);
    }
    db->arena = outer;
    arena_free(all);
    return e;
}
