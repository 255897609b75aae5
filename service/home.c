/* SPDX-License-Identifier: Apache-2.0 */
#include "service/home.h"

#include "core/log.h"
#include "core/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

const char *home_file(const struct home *home, struct arena *a, const char *name)
{
    return arena_printf(a, "%s/%s", home->path, name);
}

bool home_has(const struct home *home, const char *name)
{
    char path[PATH_MAX];
    struct stat st;

    (void)snprintf(path, sizeof(path), "%s/%s", home->path, name);
    return lstat(path, &st) == 0;
}

static enum err failed(const char *what, const char *path)
{
    log_ours("cannot %s %s: %s", what, path, strerrordesc_np(errno));
    return ERR_STORAGE;
}

static enum err make_directory(const char *path)
{
    const mode_t mode = geteuid() == 0 ? 0711 : 0700;
    struct stat st;

    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return failed("make the home directory", path);
    if (stat(path, &st) != 0)
        return failed("look at", path);
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid()) {
        log_ours("home %s is not a directory of the user this runs as (uid %u)", path, geteuid());
        return ERR_STORAGE;
    }
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        log_ours("home %s can be written by others (mode %04o); expected %04o", path,
                 st.st_mode & 07777, mode);
        return ERR_STORAGE;
    }
    if (chmod(path, mode) != 0)
        return failed("set the mode of", path);
    return OK;
}

/* The lock lives as long as the open file, so that it ends with the process however that ends. */
static enum err take_lock(struct home *home)
{
    char path[PATH_MAX];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/lock", home->path);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return failed("open", path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        (void)close(fd);
        return errno == EWOULDBLOCK ? OK : failed("lock", path);
    }
    if (ftruncate(fd, 0) != 0 || dprintf(fd, "%d\n", getpid()) < 0) {
        (void)close(fd);
        return failed("write", path);
    }
    home->lock = fd;
    return OK;
}

enum err home_open(struct home *home, struct arena *a, const struct config *c)
{
    char path[PATH_MAX];
    enum err e;

    memset(home, 0, sizeof(*home));
    home->lock = -1;
    e = make_directory(c->home);
    if (e != OK)
        return e;
    if (realpath(c->home, path) == NULL)
        return failed("resolve", c->home);
    home->path = arena_text(a, path);
    return take_lock(home);
}

void home_close(struct home *home)
{
    if (home->lock >= 0)
        (void)close(home->lock);
    home->lock = -1;
    OPENSSL_cleanse(home->key, sizeof(home->key));
}

int64_t home_holder(const struct home *home)
{
    char path[PATH_MAX];
    char digits[32] = "";
    uint64_t pid = 0;
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/lock", home->path);
    file = fopen(path, "re");
    if (file == NULL)
        return 0;
    if (fgets(digits, sizeof(digits), file) != NULL) {
        digits[strcspn(digits, "\n")] = '\0';
        if (!uint_parse(digits, INT_MAX, &pid))
            pid = 0;
    }
    (void)fclose(file);
    return (int64_t)pid;
}

static enum err read_key(int fd, const char *path, uint8_t key[SEAL_KEY])
{
    uint8_t more;
    struct stat st;

    if (fstat(fd, &st) != 0)
        return failed("look at", path);
    if (!S_ISREG(st.st_mode) || (st.st_mode & 077) != 0 ||
        (st.st_uid != geteuid() && st.st_uid != 0)) {
        log_ours("key file %s must be a file of this user that no one else can read (mode 0600, "
                 "not %04o)",
                 path, st.st_mode & 07777);
        return ERR_STORAGE;
    }
    if (read(fd, key, SEAL_KEY) != SEAL_KEY || read(fd, &more, 1) != 0) {
        log_ours("key file %s must hold exactly %d bytes", path, SEAL_KEY);
        return ERR_STORAGE;
    }
    return OK;
}

static enum err make_key(const struct home *home, const char *path)
{
    uint8_t key[SEAL_KEY];
    enum err e;

    if (home_has(home, "postgres/data")) {
        log_ours(
            "key file %s is missing, but the database is there: what it seals could not be opened",
            path);
        return ERR_STORAGE;
    }
    random_bytes(key, sizeof(key));
    e = file_replace(path, key, sizeof(key), 0600);
    OPENSSL_cleanse(key, sizeof(key));
    return e;
}

enum err home_key(struct home *home, const struct config *c, bool make)
{
    char path[PATH_MAX];
    enum err e;
    int fd;

    if (c->key_file[0] != '\0')
        (void)snprintf(path, sizeof(path), "%s", c->key_file);
    else
        (void)snprintf(path, sizeof(path), "%s/secret.key", home->path);
    /* A key file that was named but is not there is a mistake, not a wish for a new one. */
    if (make && c->key_file[0] == '\0' && access(path, F_OK) != 0) {
        e = make_key(home, path);
        if (e != OK)
            return e;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return failed("open the key file", path);
    e = read_key(fd, path, home->key);
    (void)close(fd);
    return e;
}

static bool write_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, data, length);

        if (n < 0 && errno != EINTR)
            return false;
        data += n > 0 ? n : 0;
        length -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

static void sync_directory_of(const char *path)
{
    char directory[PATH_MAX];
    char *slash;
    int fd;

    (void)snprintf(directory, sizeof(directory), "%s", path);
    slash = strrchr(directory, '/');
    if (slash == NULL)
        return;
    *slash = '\0';
    fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fsync(fd);
    (void)close(fd);
}

enum err file_replace(const char *path, const void *data, size_t length, mode_t mode)
{
    char temporary[PATH_MAX];
    bool fine;
    int fd;

    (void)snprintf(temporary, sizeof(temporary), "%.4000s.new", path);
    (void)unlink(temporary);
    fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return failed("write", temporary);
    fine = write_all(fd, data, length) && fchmod(fd, mode) == 0 && fsync(fd) == 0;
    fine = close(fd) == 0 && fine;
    if (!fine || rename(temporary, path) != 0) {
        enum err e = failed("write", path);

        (void)unlink(temporary);
        return e;
    }
    sync_directory_of(path);
    return OK;
}
