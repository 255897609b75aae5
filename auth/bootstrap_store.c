/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/bootstrap.h"

#include "auth/bootstrap_use.h"
#include "core/crypto.h"
#include "core/log.h"
#include "core/text.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CODE_BYTES = 32, HOUR_MS = BOOTSTRAP_MINUTES * 60000 };

static const char *code_file;

struct code {
    struct db *db;
    const char *text;
    const char *tenant; /* NULL: any */
    bool platform;
};

static void make(struct arena *a, struct code *c)
{
    uint8_t bytes[CODE_BYTES];

    random_bytes(bytes, sizeof(bytes));
    c->text = base64url_encode(a, bytes, sizeof(bytes));
    OPENSSL_cleanse(bytes, sizeof(bytes));
}

QUERY(bootstrap_insert_sql, "INSERT INTO bootstrap_code (hash, tenant, platform, expires_at)"
                            " VALUES ($1, $2, $3, now() + interval '60 minutes')");

static enum err insert(void *arg)
{
    const struct code *c = arg;
    struct digest hash = sha256_of(c->text, strlen(c->text));

    return db_run(c->db, &bootstrap_insert_sql, NULL,
                  PARAMS(P_BYTES(hash.bytes, SHA256_SIZE), P_TEXT(c->tenant), P_BOOL(c->platform)));
}

/* O_EXCL on a name of its own: nobody prepares a file that others can read, or a link. */
static enum err write_file(struct arena *a, const char *path, const char *code)
{
    const char *line = arena_printf(a, "%s\n", code);
    const char *beside = arena_printf(a, "%s.new", path);
    int fd;
    bool good;

    (void)unlink(beside);
    fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    good = fd >= 0 && write(fd, line, strlen(line)) == (ssize_t)strlen(line) && fsync(fd) == 0;
    if (fd >= 0)
        good = close(fd) == 0 && good;
    if (good && rename(beside, path) == 0)
        return OK;
    log_world("%s cannot be written: %s", path, strerrordesc_np(errno));
    (void)unlink(beside);
    return ERR_STORAGE;
}

enum err bootstrap_issue(struct db *db, const char *path)
{
    struct code c = {.db = db, .platform = true};
    enum err e;

    make(db->arena, &c);
    e = db_tx(db, TX_WRITE, NULL, insert, &c);
    if (e != OK)
        return e;
    code_file = path;
    return write_file(db->arena, path, c.text);
}

void bootstrap_used(void)
{
    if (code_file != NULL && unlink(code_file) != 0 && errno != ENOENT)
        log_world("%s cannot be removed: %s", code_file, strerrordesc_np(errno));
}

enum err bootstrap_code_for(struct db *db, const char *tenant, const char **code,
                            const char **expires_at)
{
    struct code c = {.db = db, .tenant = tenant};
    char at[TIME_SIZE];

    make(db->arena, &c);
    TRY(insert(&c));
    time_format(time_now_ms() + HOUR_MS, at);
    *code = c.text;
    *expires_at = arena_text(db->arena, at);
    return OK;
}

struct spent {
    bool platform;
};

static const struct field spent_columns[] = {BOOL(struct spent, platform), FIELDS_END};

QUERY(bootstrap_use_sql, "SELECT platform FROM bootstrap_use($1, $2::uuid, $3)");

enum err bootstrap_use(struct db *db, const char *code, const char *tenant_id, const char *tenant,
                       bool *platform)
{
    struct digest hash = sha256_of(code, strlen(code));
    struct spent spent = {.platform = false};

    TRY(db_one(db, &bootstrap_use_sql, spent_columns, &spent,
               PARAMS(P_BYTES(hash.bytes, SHA256_SIZE), P_TEXT(tenant_id), P_TEXT(tenant))));
    *platform = spent.platform;
    return OK;
}
