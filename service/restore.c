/* SPDX-License-Identifier: Apache-2.0 */
#include "core/log.h"
#include "service/archive.h"
#include "service/backup.h"
#include "service/directory.h"
#include "service/installation.h"
#include "service/migrate.h"
#include "service/tool.h"

#include <errno.h>
#include <ftw.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OPEN_DIRECTORIES = 16 };

static enum err failed(const char *what, const char *path)
{
    log_ours("restore: cannot %s %s: %s", what, path, strerrordesc_np(errno));
    return ERR_STORAGE;
}

static enum err check_entry(void *arg, const char *name)
{
    const struct home *home = arg;

    if (strcmp(name, "lock") == 0 || strcmp(name, ARCHIVE_KEY) == 0)
        return OK;
    log_ours("restore needs an empty home; %s has %s", home->path, name);
    return ERR_CONFLICT;
}

static int only_plain(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)at;
    if ((type == FTW_F && S_ISREG(st->st_mode)) || type == FTW_D)
        return 0;
    log_ours("restore: %s is neither a file nor a directory", path);
    return 1;
}

static enum err unpack(const char *stage, const char *file)
{
    const char *const arguments[] = {
        "/bin/tar", "--extract", "--no-same-owner", "--no-same-permissions",
        "--file",   file,        "--directory",     stage,
        NULL};

    if (mkdir(stage, 0700) != 0)
        return failed("make", stage);
    if (tool_run(arguments, NULL) != 0) {
        log_ours("restore: %s cannot be unpacked", file);
        return ERR_CONTENT;
    }
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the only thread that changes directories is none */
    return nftw(stage, only_plain, OPEN_DIRECTORIES, FTW_PHYS) == 0 ? OK : ERR_CONTENT;
}

/* The archive's key, unless one was put there beforehand. */
static enum err settle_key(struct installation *i, const char *stage)
{
    const char *packed = arena_printf(i->arena, "%s/" ARCHIVE_KEY, stage);
    const char *own = home_file(&i->home, i->arena, ARCHIVE_KEY);

    if (i->config->key_file[0] == '\0' && access(own, F_OK) != 0) {
        if (access(packed, F_OK) != 0) {
            log_ours(
                "restore: the archive has no key file; put the original's at %s (mode 0600) first",
                own);
            return ERR_CONFLICT;
        }
        if (rename(packed, own) != 0 || chmod(own, 0600) != 0)
            return failed("place", own);
    }
    return home_key(&i->home, i->config, false);
}

static enum err check_manifest(struct installation *i, const char *stage)
{
    char check[ARCHIVE_CHECK_SIZE];
    const char *sealed = NULL;
    const char *migration = NULL;
    int format = 0;
    json_t *json = json_load_file(arena_printf(i->arena, "%s/" ARCHIVE_MANIFEST, stage), 0, NULL);
    enum err e = OK;

    migrate_key_check(i->home.key, check);
    if (json_unpack(json, "{s:i, s:s, s:s}", "format", &format, "migration", &migration,
                    "key_check", &sealed) != 0 ||
        format != ARCHIVE_FORMAT) {
        log_ours("restore: the archive is not a backup of format %d", ARCHIVE_FORMAT);
        e = ERR_CONTENT;
    } else if (strcmp(migration, migrate_newest()) > 0) {
        log_ours("restore: the archive is of a newer release (migration %s)", migration);
        e = ERR_CONFLICT;
    } else if (strcmp(sealed, check) != 0) {
        log_ours("restore: the key file is not the one the archive was made with");
        e = ERR_CONFLICT;
    }
    json_decref(json);
    return e;
}

/* pg_dump's schema replaces the empty one; one that is not empty is not dropped, which is the
 * check. */
static enum err load(struct installation *i, const char *stage)
{
    const char *pg_restore = tool_find(i->arena, i->config, "pg_restore");
    const char *password = "";
    const char *const arguments[] = {
        pg_restore,
        "--exit-on-error",
        "--single-transaction",
        "--no-password",
        arena_printf(i->arena, "--dbname=%s",
                     database_split(i->arena, i->database.admin, &password)),
        arena_printf(i->arena, "%s/" ARCHIVE_DUMP, stage),
        NULL};
    PGconn *conn = database_connect(i->database.admin);
    enum err e = conn == NULL
                     ? ERR_DB_LOST
                     : database_run(conn, "restore: the schema chancery", "DROP SCHEMA chancery");

    PQfinish(conn);
    if (e == OK && (pg_restore == NULL || tool_run(arguments, password) != 0)) {
        log_ours("restore: pg_restore failed or is missing (package postgresql-client)");
        e = ERR_UNAVAILABLE;
    }
    return e == OK ? installation_schema(i) : e;
}

static enum err load_database(struct installation *i, const char *stage)
{
    enum err e = database_open(&i->database, i->arena, i->config, &i->home);

    if (e != OK)
        return e;
    if (i->database.admin == NULL) {
        log_ours("restore needs a database URI whose role may create roles");
        e = ERR_INVALID;
    } else {
        e = load(i, stage);
    }
    database_close(&i->database);
    return e;
}

static enum err restore(struct installation *i, const char *file)
{
    const char *stage = home_file(&i->home, i->arena, "restore");
    const char *marker = home_file(&i->home, i->arena, "restoring");
    enum err e = directory_visit(i->home.path, check_entry, &i->home);

    if (e == OK)
        e = file_replace(marker, "", 0, 0600);
    if (e == OK)
        e = unpack(stage, file);
    if (e == OK)
        e = settle_key(i, stage);
    if (e == OK)
        e = check_manifest(i, stage);
    if (e == OK && rename(arena_printf(i->arena, "%s/" ARCHIVE_BLOBS, stage),
                          home_file(&i->home, i->arena, ARCHIVE_BLOBS)) != 0)
        e = failed("place", ARCHIVE_BLOBS);
    if (e == OK)
        e = load_database(i, stage);
    if (e == OK)
        e = directory_remove(stage);
    if (e == OK && unlink(marker) != 0)
        e = failed("remove", marker);
    return e;
}

enum err backup_restore(const struct config *c, const char *file)
{
    struct installation i = {.config = c, .arena = arena_new()};
    enum err e = home_open(&i.home, i.arena, c);

    if (e == OK && i.home.lock < 0) {
        log_ours("home %s is served by another process", i.home.path);
        e = ERR_CONFLICT;
    }
    if (e == OK)
        e = restore(&i, file);
    home_close(&i.home);
    arena_free(i.arena);
    if (e == OK)
        (void)printf("restored into %s\n", c->home);
    else
        log_ours("restore failed; empty the home before the next attempt");
    return e;
}
