/* SPDX-License-Identifier: Apache-2.0 */
#include "service/directory.h"

#include "core/log.h"
#include "service/tool.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err failed(const char *what, const char *path)
{
    log_ours("cannot %s %s: %s", what, path, strerrordesc_np(errno));
    return ERR_STORAGE;
}

enum err directory_make(const char *path)
{
    return mkdir(path, 0700) == 0 || errno == EEXIST ? OK : failed("make", path);
}

enum err directory_visit(const char *path, enum err (*visit)(void *arg, const char *name),
                         void *arg)
{
    DIR *directory = opendir(path);
    const struct dirent *d;
    enum err e = OK;

    if (directory == NULL)
        return failed("read", path);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): glibc's is safe while a stream has one thread */
    while (e == OK && (d = readdir(directory)) != NULL)
        if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
            e = visit(arg, d->d_name);
    (void)closedir(directory);
    return e;
}

static enum err remove_file(void *arg, const char *name)
{
    const char *directory = arg;
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    if (unlink(path) != 0 && errno != EISDIR)
        return failed("remove", path);
    return OK;
}

enum err directory_fresh(const char *path)
{
    enum err e = directory_make(path);

    return e == OK ? directory_visit(path, remove_file, (void *)path) : e;
}

enum err directory_remove(const char *path)
{
    const char *const arguments[] = {"/bin/rm", "-rf", "--", path, NULL};

    return tool_run(arguments, NULL) == 0 ? OK : failed("remove", path);
}
