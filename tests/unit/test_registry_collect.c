/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/collect.h"

#include "tests/unit/registry_db.h"
#include "tests/unit/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

enum { WRITERS = 4, ROUNDS = 150, CONTENTS = 3 };

static const char policy[] = "{\"train\":{\"approvals\":0},\"promote\":{\"approvals\":1,"
                             "\"aliases\":[\"production\"]},\"approval_hours\":1}";

static struct db db;

struct put {
    struct db *db;
    const char *text;
    const char *asset;
    bool fails;
    struct version made;
};

/* A version with one file, in one transaction. */
static enum err put_body(void *arg)
{
    struct put *p = arg;
    struct version_file file;
    char path[128];
    char hex[65];

    make_file(p->text, path, &file, hex);
    TRY(version_create(
        p->db,
        &(struct version_draft){
            .project_id = project, .kind = "dataset", .asset = p->asset, .author_id = alice},
        &p->made));
    TRY(version_add_file(p->db, &p->made, &file, path));
    return p->fails ? ERR_CONFLICT : OK;
}

static enum err drop_body(void *arg)
{
    struct put *p = arg;

    return version_delete(p->db, &p->made);
}

static bool put_and_drop(struct put *p, bool drop)
{
    struct arena *a = arena_new();
    bool done;

    p->db->arena = a;
    done = db_tx(p->db, TX_WRITE, tenant_a, put_body, p) == (p->fails ? ERR_CONFLICT : OK);
    if (done && drop)
        done = db_tx(p->db, TX_WRITE, tenant_a, drop_body, p) == OK;
    arena_free(a);
    p->db->arena = NULL;
    return done;
}

static bool has_file(const char *text)
{
    struct digest d = sha256_of(text, strlen(text));
    char hex[65];
    int fd;

    hex_encode(d.bytes, SHA256_SIZE, hex);
    if (blob_open(tenant_a, hex, &fd) != OK)
        return false;
    (void)close(fd);
    return true;
}

static void make_asset(const char *name)
{
    if (!sql("INSERT INTO asset (tenant_id, id, project_id, kind, name, created_by)"
             " VALUES ('%s', gen_random_uuid(), '%s', 'dataset', '%s', '%s')",
             tenant_a, project, name, alice))
        abort();
}

static void what_a_version_names_stays(void)
{
    struct put p = {.db = &db, .text = "kept", .asset = "one"};
    struct collected c;

    CHECK(put_and_drop(&p, false));
    CHECK(collect_pass(&db, 0, true, &c) == OK);
    CHECK(c.rows == 0 && c.files == 0 && has_file("kept"));
}

static void what_nothing_names_goes_after_its_grace(void)
{
    struct put p = {.db = &db, .text = "dropped", .asset = "one"};
    struct collected c;

    CHECK(put_and_drop(&p, true));
    CHECK(collect_pass(&db, 3600, true, &c) == OK);
    CHECK(c.rows == 0 && has_file("dropped"));
    CHECK(collect_pass(&db, 0, false, &c) == OK);
    CHECK(c.rows == 1 && c.files == 1 && !has_file("dropped"));
}

static void a_file_that_a_rollback_left_is_swept(void)
{
    struct put p = {.db = &db, .text = "rolled back", .asset = "one", .fails = true};
    struct collected c;

    CHECK(put_and_drop(&p, false));
    CHECK(has_file("rolled back"));
    CHECK(collect_pass(&db, 3600, true, &c) == OK && has_file("rolled back"));
    CHECK(collect_pass(&db, 0, false, &c) == OK && has_file("rolled back"));
    CHECK(collect_pass(&db, 0, true, &c) == OK);
    CHECK(c.rows == 0 && c.files == 1 && !has_file("rolled back"));
}

static void stale_and_orphaned_uploads_go(void)
{
    char path[256];
    struct collected c;
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/uploads/%s", store, tenant_a);
    (void)mkdir(path, 0700);
    (void)snprintf(path, sizeof(path), "%s/uploads/%s/%s.part", store, tenant_a, bob);
    f = fopen(path, "w");
    CHECK(f != NULL && fclose(f) == 0);
    CHECK(collect_pass(&db, 3600, false, &c) == OK && access(path, F_OK) == 0);
    CHECK(collect_pass(&db, 0, false, &c) == OK && access(path, F_OK) != 0);
    CHECK(c.uploads == 1);
}

static void a_torn_file_is_replaced_by_whole_bytes(void)
{
    struct put p = {.db = &db, .text = "torn file", .asset = "one"};
    struct digest d = sha256_of(p.text, strlen(p.text));
    char hex[65];
    char path[256];

    CHECK(put_and_drop(&p, false));
    hex_encode(d.bytes, SHA256_SIZE, hex);
    (void)snprintf(path, sizeof(path), "%s/blobs/%s/%.2s/%s", store, tenant_a, hex, hex);
    CHECK(truncate(path, 3) == 0);
    CHECK(put_and_drop(&p, false));
    struct stat st;
    CHECK(stat(path, &st) == 0 && st.st_size == (off_t)strlen(p.text));
    CHECK((st.st_mode & 0777) == 0600);
}

/* Uploads of a few contents, over and over, beside a collector without any grace: never a row
 * without its file, and at the end exactly the files that rows say. */
static atomic_bool ended;
static atomic_int broken;
static atomic_llong swept;

static void *writer(void *arg)
{
    static const char *const texts[CONTENTS] = {"shared 0", "shared 1", "shared 2"};
    struct db own = {.conn = NULL};
    char name[8];
    unsigned seed = (unsigned)(size_t)arg;

    (void)snprintf(name, sizeof(name), "w%u", seed);
    if (db_open(&own, scratch.app) != OK)
        broken++;
    for (int i = 0; i < ROUNDS && broken == 0; i++) {
        struct put p = {.db = &own, .text = texts[rand_r(&seed) % CONTENTS], .asset = name};
        bool kept = i == ROUNDS - 1;

        p.fails = !kept && rand_r(&seed) % 5 == 0;
        if (!put_and_drop(&p, !kept && !p.fails))
            broken++;
    }
    db_close(&own);
    return NULL;
}

static void *collector(void *arg)
{
    struct db own = {.conn = NULL};
    struct collected c;

    if (db_open(&own, scratch.app) != OK)
        broken++;
    while (!ended && broken == 0) {
        if (collect_pass(&own, 0, true, &c) != OK)
            broken++;
        swept += c.files;
    }
    db_close(&own);
    return arg;
}

struct look {
    PGresult *rows;
    const char *digest;
};

QUERY(test_blobs, "SELECT encode(sha256, 'hex') FROM blob WHERE tenant_id = current_tenant()");
/* The row, locked, so that nobody collects it while its file is looked for. */
QUERY(test_hold_blob, "SELECT FROM blob WHERE tenant_id = current_tenant()"
                      " AND sha256 = decode($1, 'hex') FOR UPDATE");

static enum err list_blobs(void *arg)
{
    struct look *l = arg;

    return db_rows(&db, &test_blobs, &l->rows, NO_PARAMS);
}

static enum err look_at(void *arg)
{
    struct look *l = arg;
    PGresult *row;
    int fd;

    TRY(db_rows(&db, &test_hold_blob, &row, PARAMS(P_TEXT(l->digest))));
    if (PQntuples(row) == 0)
        return OK;
    if (blob_open(tenant_a, l->digest, &fd) != OK)
        broken++;
    else
        (void)close(fd);
    return OK;
}

static bool every_row_has_its_file(void)
{
    struct arena *a = arena_new();
    struct look l;
    bool good;

    db.arena = a;
    good = db_tx(&db, TX_POINT, tenant_a, list_blobs, &l) == OK;
    for (int i = 0; good && i < PQntuples(l.rows); i++) {
        l.digest = PQgetvalue(l.rows, i, 0);
        good = db_tx(&db, TX_WRITE, tenant_a, look_at, &l) == OK;
    }
    db.arena = NULL;
    arena_free(a);
    return good && broken == 0;
}

static void uploads_and_collection_never_lose_a_file(void)
{
    pthread_t writers[WRITERS];
    pthread_t sweeper;
    bool good = true;

    CHECK(pthread_create(&sweeper, NULL, collector, NULL) == 0);
    for (size_t i = 0; i < WRITERS; i++)
        CHECK(pthread_create(&writers[i], NULL, writer, (void *)i) == 0);
    for (int i = 0; i < 200 && good; i++)
        good = every_row_has_its_file();
    for (size_t i = 0; i < WRITERS; i++)
        (void)pthread_join(writers[i], NULL);
    ended = true;
    (void)pthread_join(sweeper, NULL);
    CHECK(good && broken == 0 && every_row_has_its_file());
    (void)printf("%lld files swept beside the uploads\n", (long long)swept);
    CHECK(swept > 10);
}

int main(void)
{
    if (!registry_begin(policy) || db_open(&db, scratch.app) != OK)
        return EXIT_FAILURE;
    make_asset("one");
    for (size_t i = 0; i < WRITERS; i++) {
        char name[8];

        (void)snprintf(name, sizeof(name), "w%zu", i);
        make_asset(name);
    }
    RUN(what_a_version_names_stays);
    RUN(what_nothing_names_goes_after_its_grace);
    RUN(a_file_that_a_rollback_left_is_swept);
    RUN(stale_and_orphaned_uploads_go);
    RUN(a_torn_file_is_replaced_by_whole_bytes);
    RUN(uploads_and_collection_never_lose_a_file);
    db_close(&db);
    registry_end();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
