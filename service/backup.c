/* SPDX-License-Identifier: Apache-2.0 */
#include "service/backup.h"

#include "core/log.h"
#include "core/text.h"
#include "service/archive.h"
#include "service/directory.h"
#include "service/installation.h"
#include "service/migrate.h"
#include "service/tool.h"
#include "service/version.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOBS_DEPTH = 4 }; /* blobs/TENANT/AA/DIGEST */

static enum err dump(struct installation *i, const char *stage)
{
    const char *pg_dump = tool_find(i->arena, i->config, "pg_dump");
    const char *password = "";
    const char *conninfo = i->database.admin != NULL ? i->database.admin : i->database.app;
    const char *const arguments[] = {
        pg_dump,
        "--format=custom",
        "--schema=chancery",
        "--no-password",
        arena_printf(i->arena, "--file=%s/" ARCHIVE_DUMP, stage),
        arena_printf(i->arena, "--dbname=%s", database_split(i->arena, conninfo, &password)),
        NULL};

    if (pg_dump == NULL) {
        log_ours(
            "backup needs pg_dump: install the package postgresql-client, or set postgres_bin");
        return ERR_UNAVAILABLE;
    }
    if (tool_run(arguments, password) == 0)
        return OK;
    log_ours("backup: pg_dump failed");
    return ERR_UNAVAILABLE;
}

struct linking {
    struct arena *arena;
    const char *from;
    const char *to;
    unsigned depth;
};

static enum err link_tree(const struct linking *l);

/* What goes away meanwhile was not needed, and what is there already is the same. */
static enum err link_one(void *arg, const char *name)
{
    const struct linking *l = arg;
    const struct linking below = {.arena = l->arena,
                                  .from = arena_printf(l->arena, "%s/%s", l->from, name),
                                  .to = arena_printf(l->arena, "%s/%s", l->to, name),
                                  .depth = l->depth - 1};

    if (link(below.from, below.to) == 0 || errno == EEXIST || errno == ENOENT)
        return OK;
    if (errno == EPERM && l->depth > 0)
        return link_tree(&below);
    log_ours("backup: cannot link %s: %s", below.from, strerrordesc_np(errno));
    return ERR_STORAGE;
}

/* The same files under a second name: what is deleted from the one stays in the other. */
static enum err link_tree(const struct linking *l)
{
    enum err e = directory_make(l->to);

    return e == OK ? directory_visit(l->from, link_one, (void *)l) : e;
}

static enum err write_manifest(struct installation *i, const char *stage)
{
    char check[ARCHIVE_CHECK_SIZE];
    char at[TIME_SIZE];
    json_t *json;
    char *text;
    enum err e = ERR_INTERNAL;

    migrate_key_check(i->home.key, check);
    time_format(time_now_ms(), at);
    json = json_pack("{s:i, s:s, s:s, s:s, s:s}", "format", ARCHIVE_FORMAT, "version",
                     CHANCERY_VERSION, "migration", migrate_newest(), "created_at", at, "key_check",
                     check);
    text = json_dumps(json, JSON_INDENT(2));
    json_decref(json);
    if (text != NULL)
        e = file_replace(arena_printf(i->arena, "%s/" ARCHIVE_MANIFEST, stage), text, strlen(text),
                         0600);
    free(text);
    return e;
}

static enum err pack(const char *stage, const char *file, bool with_key)
{
    const char *const arguments[] = {
        "/bin/tar", "--create",       "--file",     file,          "--directory",
        stage,      ARCHIVE_MANIFEST, ARCHIVE_DUMP, ARCHIVE_BLOBS, with_key ? ARCHIVE_KEY : NULL,
        NULL};
    int status = tool_run(arguments, NULL);

    if (status == 0)
        return OK;
    log_ours("backup: tar failed (status %d)", status);
    return ERR_STORAGE;
}

static enum err publish(const char *fresh, const char *file)
{
    int fd = open(fresh, O_RDONLY | O_CLOEXEC);
    bool fine = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0)
        (void)close(fd);
    if (fine && rename(fresh, file) == 0)
        return OK;
    log_ours("backup: cannot write %s: %s", file, strerrordesc_np(errno));
    return ERR_STORAGE;
}

/* The blobs are linked before the dump and after it: what the dump names was there at some moment
 * in between, and neither a deletion nor an addition meanwhile takes it away. */
static enum err collect(struct installation *i, const char *stage, bool with_key)
{
    const struct linking blobs = {.arena = i->arena,
                                  .from = home_file(&i->home, i->arena, ARCHIVE_BLOBS),
                                  .to = arena_printf(i->arena, "%s/" ARCHIVE_BLOBS, stage),
                                  .depth = BLOBS_DEPTH};
    enum err e = directory_make(blobs.from);

    if (e == OK)
        e = link_tree(&blobs);
    if (e == OK)
        e = dump(i, stage);
    if (e == OK)
        e = link_tree(&blobs);
    if (e == OK)
        e = write_manifest(i, stage);
    if (e == OK && with_key)
        e = file_replace(arena_printf(i->arena, "%s/" ARCHIVE_KEY, stage), i->home.key,
                         sizeof(i->home.key), 0600);
    return e;
}

static enum err write_archive(struct installation *i, const char *stage, const char *file,
                              bool with_key)
{
    const char *fresh = arena_printf(i->arena, "%s.new", file);
    enum err e = collect(i, stage, with_key);

    if (e == OK)
        e = pack(stage, fresh, with_key);
    if (e == OK)
        e = publish(fresh, file);
    if (e != OK)
        (void)unlink(fresh);
    return e;
}

enum err backup_write(const struct config *c, const char *file, bool with_key)
{
    struct installation i;
    char *stage;
    enum err e = installation_open(&i, c, INSTALLATION_VISIT);

    if (e != OK)
        return e;
    stage = arena_printf(i.arena, "%s/backup.XXXXXX", i.home.path);
    if (mkdtemp(stage) == NULL) {
        log_ours("backup: cannot make %s: %s", stage, strerrordesc_np(errno));
        e = ERR_STORAGE;
    } else {
        e = write_archive(&i, stage, file, with_key);
        if (directory_remove(stage) != OK)
            log_ours("backup: %s is left over", stage);
    }
    installation_close(&i);
    if (e == OK)
        (void)printf("%s written%s\n", file,
                     with_key ? "; it holds the key file: guard it as you guard that"
                              : "; the key file is not in it and is needed to restore");
    return e;
}
