/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* HOME/audit/sinks/TENANT/NAME.jsonl, and NAME.jsonl.1 (the newest) to .N of before. Where files
 * are is not for tenants to say. */

static bool make(const char *path)
{
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

static const char *path_of(struct db *db, const struct sink_context *c, const struct sink *s)
{
    const char *dir = arena_printf(db->arena, "%s/audit/sinks", c->home);
    const char *own = arena_printf(db->arena, "%s/%s", dir, db->tenant);

    return make(dir) && make(own) ? arena_printf(db->arena, "%s/%s.jsonl", own, s->name) : NULL;
}

static void rotate(struct db *db, const struct sink *s, const char *path)
{
    struct stat now;

    if (stat(path, &now) != 0 || now.st_size < s->file_bytes)
        return;
    for (int64_t i = s->keep; i > 1; i--)
        (void)rename(arena_printf(db->arena, "%s.%lld", path, (long long)i - 1),
                     arena_printf(db->arena, "%s.%lld", path, (long long)i));
    (void)rename(path, arena_printf(db->arena, "%s.1", path));
}

static bool write_all(int fd, const struct text *lines)
{
    for (size_t at = 0; at < lines->length;) {
        ssize_t some = write(fd, lines->data + at, lines->length - at);

        if (some <= 0)
            return false;
        at += (size_t)some;
    }
    return fdatasync(fd) == 0;
}

enum err sink_file(struct db *db, const struct sink_context *c, const struct sink *s,
                   const struct sink_batch *b, char why[WIRE_WHY])
{
    const char *path = path_of(db, c, s);
    struct text lines = text_new(32 << 20);
    bool written = false;
    int fd = -1;

    for (size_t i = 0; i < b->count; i++)
        text_printf(&lines, "%s\n", b->events[i]);
    if (path != NULL && !lines.failed) {
        rotate(db, s, path);
        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        written = fd >= 0 && write_all(fd, &lines);
    }
    (void)snprintf(why, WIRE_WHY, "the file cannot be written: %s", strerrordesc_np(errno));
    if (fd >= 0)
        (void)close(fd);
    text_free(&lines);
    return written ? OK : ERR_STORAGE;
}
