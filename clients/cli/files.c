/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static _Noreturn void die_of(const char *path)
{
    die(USAGE, "%s: %s", path, strerrordesc_np(errno));
}

char *file_read(const struct cli *c, const char *path, size_t max, size_t *length)
{
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "rbe");
    struct text all = text_new(max);
    char piece[65536];
    char *kept;
    size_t got;

    if (f == NULL)
        die_of(path);
    while ((got = fread(piece, 1, sizeof(piece), f)) > 0)
        text_add(&all, piece, got);
    if (ferror(f))
        die_of(path);
    if (f != stdin)
        (void)fclose(f);
    if (all.failed)
        die(USAGE, "%s is larger than %zu bytes", path, max);
    kept = arena_copy(c->arena, all.data, all.length);
    *length = all.length;
    text_free(&all);
    return kept;
}

/* Folders are made for their owner alone, as what is written may be private. */
static void make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            die_of(path);
        *slash = '/';
    }
}

void file_write(const char *path, const void *data, size_t length)
{
    char *temporary;
    int fd;
    FILE *f;

    if (asprintf(&temporary, "%s.%ld", path, (long)getpid()) < 0)
        die(USAGE, "out of memory");
    make_folders(temporary);
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        die_of(temporary);
    f = fdopen(fd, "wb");
    if (f == NULL)
        die_of(temporary);
    (void)fwrite(data, 1, length, f);
    if (fflush(f) != 0 || ferror(f) || fclose(f) != 0 || rename(temporary, path) != 0) {
        (void)unlink(temporary);
        die_of(path);
    }
    free(temporary);
}
