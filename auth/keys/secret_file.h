/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYS_SECRET_FILE_H
#define KEYS_SECRET_FILE_H

#include "core/err.h"

#include <stddef.h>

/* The text of a small file with a secret: a regular file of this user or root that nobody else can
 * read. At most size - 1 bytes, NUL-terminated; the caller wipes them. ERR_INVALID, and *why says
 * what is wrong: static text. No copy is left in a buffer. */
MUST_CHECK enum err secret_file_read(const char *path, char *text, size_t size, const char **why);

#endif
