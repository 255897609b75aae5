/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINEAGE_GUNZIP_H
#define LINEAGE_GUNZIP_H

#include "core/err.h"
#include "core/text.h"

/* Append what gzip members (RFC 1952, by zlib) hold, checked by length and CRC-32.
 * ERR_CONTENT when they are malformed or cut short, ERR_TOO_LARGE past out's maximum, which is what
 * bounds time and memory: a few bytes can say to write a great many. */
MUST_CHECK enum err gunzip(const uint8_t *data, size_t length, struct text *out);

#endif
