/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/transfer.h"

#include "core/log.h"
#include "registry/blob_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 1 << 18 };

static enum err blame(const char *what)
{
    int number = errno;

    log_world("upload: cannot %s: %s", what, strerrordesc_np(number));
    return number == ENOSPC || number == EDQUOT ? ERR_STORAGE : ERR_INTERNAL;
}

/* Whether the open file still has its name: whoever held the lock before may have moved it into the
 * store, where nobody writes. */
static bool still_named(int fd, const char *path)
{
    struct stat open_file;
    struct stat named;

    return fstat(fd, &open_file) == 0 && lstat(path, &named) == 0 &&
           open_file.st_ino == named.st_ino && open_file.st_dev == named.st_dev;
}

enum err transfer_open(const char *tenant, const char *id, int *fd)
{
    char *path = blob_spool_path(tenant, id);
    enum err e = OK;

    *fd = path == NULL ? -1 : open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (*fd < 0)
        e = blame("open the spool file");
    else if (flock(*fd, LOCK_EX | LOCK_NB) != 0)
        e = errno == EWOULDBLOCK ? ERR_BUSY : blame("lock the spool file");
    else if (!still_named(*fd, path))
        e = ERR_BUSY;
    /* What is received into it is acknowledged, so its name must last as its bytes do. */
    if (e == OK && lseek(*fd, 0, SEEK_END) == 0)
        e = blob_name_settle(path);
    free(path);
    if (e == OK || *fd < 0)
        return e;
    (void)close(*fd);
    *fd = -1;
    return e;
}

enum err transfer_cut(int fd, int64_t received)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return blame("look at the spool file");
    if (st.st_size < received)
        return ERR_NOT_FOUND;
    if (ftruncate(fd, received) != 0 || lseek(fd, 0, SEEK_END) != received)
        return blame("cut the spool file");
    return OK;
}

static bool write_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, data, length);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        data += written;
        length -= (size_t)written;
    }
    return true;
}

static enum err take_piece(int to, struct sha256 *hash, const char *piece, size_t length)
{
    if (hash != NULL)
        sha256_add(hash, piece, length);
    return to < 0 || write_all(to, piece, length) ? OK : blame("write to the spool file");
}

/* Copy size bytes, hash them, or both: to and hash may be -1 and NULL. */
static enum err pour(int from, int to, struct sha256 *hash, int64_t size)
{
    char *piece = malloc(PIECE);
    enum err e = piece == NULL ? ERR_STORAGE : OK;

    while (e == OK && size > 0) {
        ssize_t got = read(from, piece, size < PIECE ? (size_t)size : PIECE);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            e = got == 0 ? ERR_INTERNAL : blame("read");
            break;
        }
        e = take_piece(to, hash, piece, (size_t)got);
        size -= got;
    }
    free(piece);
    return e;
}

enum err transfer_append_fd(int fd, int from, int64_t size)
{
    return pour(from, fd, NULL, size);
}

enum err transfer_append(int fd, const char *path, int64_t size)
{
    int from = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    enum err e;

    if (from < 0)
        return blame("open the received bytes");
    e = pour(from, fd, NULL, size);
    (void)close(from);
    if (e == OK && fdatasync(fd) != 0)
        e = blame("sync the spool file");
    return e;
}

enum err transfer_digest(int fd, struct digest *out)
{
    struct sha256 *hash;
    struct stat st;
    enum err e;

    if (fstat(fd, &st) != 0 || lseek(fd, 0, SEEK_SET) != 0)
        return blame("read the spool file");
    hash = sha256_begin();
    e = pour(fd, -1, hash, st.st_size);
    if (e == OK)
        *out = sha256_end(hash);
    else
        sha256_drop(hash);
    return e;
}

void transfer_discard(const char *tenant, const char *id)
{
    char *path = blob_spool_path(tenant, id);

    if (path != NULL)
        (void)unlink(path);
    free(path);
}
