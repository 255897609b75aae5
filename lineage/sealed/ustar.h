/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEALED_USTAR_H
#define SEALED_USTAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The one spelling of a member of a tape archive (POSIX.1-1988 ustar) that bundles know: a regular
 * file of nobody, of 1970, mode 0644. Sizes of 8 GiB and more are base-256, as GNU tar and
 * libarchive write and read them. A header that is spelled otherwise in any bit is none: so links,
 * devices, sparse files, long names and prefixes need not be recognized to be refused. */

enum { USTAR_BLOCK = 512, USTAR_NAME_MAX = 99, USTAR_END = 2 * USTAR_BLOCK };
#define USTAR_SIZE_MAX ((int64_t)1 << 44)

/* false for a name that is empty or too long, or a size out of bounds. */
bool ustar_write(const char *name, int64_t size, uint8_t out[USTAR_BLOCK]);
/* Exactly what ustar_write writes; name gets at most USTAR_NAME_MAX bytes and a NUL. */
bool ustar_read(const uint8_t block[USTAR_BLOCK], char name[USTAR_NAME_MAX + 1], int64_t *size);
/* Zero bytes after a member of that size. */
size_t ustar_padding(int64_t size);
bool ustar_zero(const uint8_t *bytes, size_t length);

#endif
