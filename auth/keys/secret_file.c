/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/keys/secret_file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *wrong_with(int fd)
{
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0)
        return "cannot be read";
    if (!S_ISREG(st.st_mode))
        return "is no file";
    if ((st.st_mode & 077) != 0 || (st.st_uid != geteuid() && st.st_uid != 0))
        return "must be of this user or root and readable by nobody else (mode 0600 or 0400)";
    return NULL;
}

enum err secret_file_read(const char *path, char *text, size_t size, const char **why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    ssize_t length = 0;

    *why = wrong_with(fd);
    if (*why == NULL) {
        length = read(fd, text, size);
        if (length < 0)
            *why = "cannot be read";
        else if (length == 0)
            *why = "is empty";
        else if ((size_t)length == size)
            *why = "is too large";
    }
    if (fd >= 0)
        (void)close(fd);
    text[*why == NULL ? length : 0] = '\0';
    return *why == NULL ? OK : ERR_INVALID;
}
