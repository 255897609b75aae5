/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/guard.h"

#include "core/log.h"
#include "core/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { GUARD_MAX = 64 << 10 };
static const char suffix[] = ".head";

enum err guard_open(const char *dir)
{
    if (mkdir(dir, 0700) == 0 || errno == EEXIST)
        return OK;
    log_ours("%s: %s", dir, strerrordesc_np(errno));
    return ERR_STORAGE;
}

enum err guard_read(struct arena *a, const char *dir, const char *tenant, const char **note)
{
    const char *path = arena_printf(a, "%s/%s%s", dir, tenant, suffix);
    FILE *f = fopen(path, "re");
    char *bytes;
    size_t length;
    bool whole;

    if (f == NULL && errno == ENOENT)
        return ERR_NOT_FOUND;
    if (f == NULL) {
        log_ours("%s: %s", path, strerrordesc_np(errno));
        return ERR_INTERNAL;
    }
    bytes = arena_alloc(a, GUARD_MAX);
    length = fread(bytes, 1, GUARD_MAX - 1, f);
    whole = feof(f) && !ferror(f);
    (void)fclose(f);
    *note = bytes;
    if (whole && strlen(bytes) == length)
        return OK;
    log_ours("%s: cannot be read whole", path);
    return ERR_INTERNAL;
}

static bool write_file(const char *path, const char *bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    size_t length = strlen(bytes);
    bool done = fd >= 0 && write(fd, bytes, length) == (ssize_t)length && fsync(fd) == 0;

    if (fd >= 0 && close(fd) != 0)
        done = false;
    return done;
}

static bool sync_directory(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool done = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0)
        (void)close(fd);
    return done;
}

enum err guard_write(struct arena *a, const char *dir, const char *tenant, const char *note)
{
    const char *path = arena_printf(a, "%s/%s%s", dir, tenant, suffix);
    const char *fresh = arena_printf(a, "%s.new", path);

    if (write_file(fresh, note) && rename(fresh, path) == 0 && sync_directory(dir))
        return OK;
    log_ours("%s: %s", path, strerrordesc_np(errno));
    return ERR_STORAGE;
}

enum err guard_retire(struct arena *a, const char *dir, const char *tenant)
{
    const char *path = arena_printf(a, "%s/%s%s", dir, tenant, suffix);
    const char *aside = arena_printf(a, "%s.%lld", path, (long long)time_now_ms());

    if ((rename(path, aside) == 0 || errno == ENOENT) && sync_directory(dir))
        return OK;
    log_ours("%s: %s", path, strerrordesc_np(errno));
    return ERR_STORAGE;
}

enum err guard_each(const char *dir, enum err (*visit)(void *context, const char *tenant),
                    void *context)
{
    DIR *d = opendir(dir);
    const struct dirent *entry;
    enum err e = OK;

    if (d == NULL) {
        log_ours("%s: %s", dir, strerrordesc_np(errno));
        return ERR_INTERNAL;
    }
    while (e == OK &&
           (entry = readdir(d)) != NULL) { /* NOLINT(concurrency-mt-unsafe): own stream */
        char tenant[ID_SIZE];

        if (strlen(entry->d_name) != ID_SIZE - 1 + sizeof(suffix) - 1 ||
            strcmp(entry->d_name + ID_SIZE - 1, suffix) != 0)
            continue;
        memcpy(tenant, entry->d_name, ID_SIZE - 1);
        tenant[ID_SIZE - 1] = '\0';
        e = visit(context, tenant);
    }
    (void)closedir(d);
    return e;
}
