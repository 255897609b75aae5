/* SPDX-License-Identifier: Apache-2.0 */
#include "service/backup.h"

#include "core/log.h"
#include "core/text.h"
#include "service/archive.h"
#include "service/installation.h"
#include "service/migrate.h"
#include "service/tool.h"
#include "service/version.h"

#include <dirent.h>
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

static enum err link_tree(struct arena *a, const char *from, const char *to, unsigned depth);

/* What goes away meanwhile was not needed, and what is there already is the same. */
static enum err link_one(struct arena *a, const char *from, const char *to, unsigned depth)
{
    if (link(from, to) == 0 || errno == EEXIST || errno == ENOENT)
        return OK;
    if (errno == EPERM && depth > 0)
        return link_tree(a, from, to, depth - 1);
    log_ours("backup: cannot link %s: %s", from, strerrordesc_np(errno));
    return ERR_STORAGE;
}

/* The same files under a second name: what is deleted from the one stays in the other. */
static enum err link_tree(struct arena *a, const char *from, const char *to, unsigned depth)
{
    DIR *directory = opendir(from);
    enum err e = directory_make(to);

    if (directory == NULL) {
        log_ours("backup: cannot read %s: %s", from, strerrordesc_np(errno));
        return ERR_STORAGE;
    }
    for (const struct dirent *d = readdir(directory); d != NULL && e == OK; d = readdir(directory))
        if (d->d_name[0] != '.')
            e = link_one(a, arena_printf(a, "%s/%s", from, d->d_name),
                         arena_printf(a, "%s/%s", to, d->d_name), depth);
    (void)closedir(directory);
    return e;
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
    const char *blobs = home_file(&i->home, i->arena, ARCHIVE_BLOBS);
    const char *linked = arena_printf(i->arena, "%s/" ARCHIVE_BLOBS, stage);
    enum err e = directory_make(blobs);

    if (e == OK)
        e = link_tree(i->arena, blobs, linked, BLOBS_DEPTH);
    if (e == OK)
        e = dump(i, stage);
    if (e == OK)
        e = link_tree(i->arena, blobs, linked, BLOBS_DEPTH);
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
        if (remove_tree(stage) != OK)
            log_ours("backup: %s is left over", stage);
    }
    installation_close(&i);
    if (e == OK)
        (void)printf("%s written%s\n", file,
                     with_key ? "; it holds the key file: guard it as you guard that"
                              : "; the key file is not in it and is needed to restore");
    return e;
}
