/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/blob_file.h"

#include "core/log.h"
#include "core/text.h"
#include "registry/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEX_SIZE = 64 };

static char home[4096];

const char *blob_home(void)
{
    return home;
}

static enum err blame(const char *what, const char *path)
{
    int number = errno;

    log_world("%s %s: %s", what, path, strerrordesc_np(number));
    return number == ENOSPC || number == EDQUOT ? ERR_STORAGE : ERR_INTERNAL;
}

static enum err sync_directory(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum err e = OK;

    if (fd < 0 || fsync(fd) != 0)
        e = blame("cannot sync directory", path);
    if (fd >= 0)
        (void)close(fd);
    return e;
}

enum err blob_name_settle(const char *path)
{
    char *directory = strdup(path);
    enum err e;

    if (directory == NULL)
        return ERR_INTERNAL;
    *strrchr(directory, '/') = '\0';
    e = sync_directory(directory);
    free(directory);
    return e;
}

/* Make the directory path[0 … length), durably, if it is not there. */
static enum err make_directory(char *path, size_t length)
{
    char cut = path[length];
    char *parent;
    enum err e = OK;

    path[length] = '\0';
    if (mkdir(path, 0700) == 0) {
        parent = strrchr(path, '/');
        *parent = '\0';
        e = sync_directory(path);
        *parent = '/';
    } else if (errno != EEXIST) {
        e = blame("cannot make directory", path);
    }
    path[length] = cut;
    return e;
}

enum err blob_start(const char *directory)
{
    char path[sizeof(home) + 16];
    int length = snprintf(home, sizeof(home), "%s", directory);

    if (length < 0 || (size_t)length >= sizeof(home))
        return ERR_INTERNAL;
    (void)snprintf(path, sizeof(path), "%s/blobs", home);
    if (make_directory(path, strlen(path)) != OK)
        return ERR_INTERNAL;
    (void)snprintf(path, sizeof(path), "%s/uploads", home);
    return make_directory(path, strlen(path)) == OK ? OK : ERR_INTERNAL;
}

/* Both parts come from our own tables, but what ends in a path is checked where it does. */
static char *blob_path(const char *tenant, const char *sha256)
{
    uint8_t bytes[HEX_SIZE / 2];
    char *path = NULL;

    if (!id_valid(tenant) || !hex_decode(sha256, bytes, sizeof(bytes)) ||
        asprintf(&path, "%s/blobs/%s/%.2s/%s", home, tenant, sha256, sha256) < 0) {
        log_ours("tenant %s, digest %s: not a place in the store", tenant, sha256);
        return NULL;
    }
    return path;
}

char *blob_spool_path(const char *tenant, const char *id)
{
    char *path = NULL;

    if (!id_valid(tenant) || !id_valid(id) ||
        asprintf(&path, "%s/uploads/%s/%s.part", home, tenant, id) < 0)
        return NULL;
    if (make_directory(path, strlen(path) - strlen(id) - 6) == OK)
        return path;
    free(path);
    return NULL;
}

static enum err make_shelf(char *path)
{
    size_t shelf = strlen(path) - HEX_SIZE - 1;
    enum err e = make_directory(path, shelf - 3);

    return e == OK ? make_directory(path, shelf) : e;
}

/* A whole file of that size. Its bytes were hashed when it was taken in. */
static bool whole(const char *path, int64_t size)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == size;
}

/* Regular, of the announced size, readable by nobody else, and on the disk. */
static enum err settle(const char *path, int64_t size)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    enum err e = OK;

    if (fd < 0)
        return blame("cannot open", path);
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size != size) {
        log_ours("%s is not a file of %lld bytes", path, (long long)size);
        e = ERR_INTERNAL;
    } else if (fchmod(fd, 0600) != 0 || fsync(fd) != 0) {
        e = blame("cannot sync", path);
    }
    (void)close(fd);
    return e;
}

static enum err move(const char *from, char *to, int64_t size)
{
    enum err e = settle(from, size);

    if (e == OK)
        e = make_shelf(to);
    if (e == OK && rename(from, to) != 0)
        e = blame("cannot move into place", to);
    return e;
}

enum err blob_file_place(const char *tenant, const char *path, const char *sha256, int64_t size)
{
    char *place = blob_path(tenant, sha256);
    enum err e = OK;

    if (place == NULL)
        return ERR_INTERNAL;
    /* It may be there by an earlier upload, or by an earlier attempt at this transaction. */
    if (!whole(place, size))
        e = move(path, place, size);
    if (e == OK) {
        *strrchr(place, '/') = '\0';
        e = sync_directory(place);
    }
    free(place);
    return e;
}

bool blob_file_remove(const char *tenant, const char *sha256)
{
    char *place = blob_path(tenant, sha256);
    bool removed = place != NULL && unlink(place) == 0;

    if (place != NULL && !removed && errno != ENOENT)
        (void)blame("cannot remove", place);
    free(place);
    return removed;
}

enum err blob_open(const char *tenant_id, const char *sha256, int *fd)
{
    char *place = blob_path(tenant_id, sha256);
    enum err e = OK;

    *fd = -1;
    if (place == NULL)
        return ERR_INTERNAL;
    *fd = open(place, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (*fd < 0)
        e = errno == ENOENT ? ERR_NOT_FOUND : blame("cannot open", place);
    free(place);
    return e;
}
