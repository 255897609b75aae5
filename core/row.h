/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_ROW_H
#define CORE_ROW_H

#include "core/arena.h"
#include "core/field.h"

#include <libpq-fe.h>

/* Fill *out from one row of a result in text format whose columns bear the field names. timestamptz
 * columns become RFC 3339 text, bytea columns lower-case hexadecimal, text[] lists, json parsed
 * JSON. Texts are borrowed from the result or the arena. ERR_INTERNAL (logged) for a missing
 * column. */
MUST_CHECK enum err row_read(struct arena *a, const struct field *fields, const PGresult *result,
                             int row, void *out);

#endif
