/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINEAGE_CANONICAL_H
#define LINEAGE_CANONICAL_H

#include "core/err.h"
#include "core/text.h"

#include <jansson.h>

/* JSON as RFC 8785 spells it (JCS), so that equal values are equal bytes. Appends to out.
 * Integers beyond 2^53 are written exactly, not rounded to a double as other readers may.
 * ERR_INVALID when nested deeper than CANONICAL_DEPTH, ERR_TOO_LARGE past out's maximum. */
enum { CANONICAL_DEPTH = 128 };
MUST_CHECK enum err canonical_json(const json_t *value, struct text *out);

#endif
