/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_VALUE_H
#define ENGINE_VALUE_H

#include "compute/engine/dict.h"

#include <stdbool.h>

/* What one cell of a table can be. Missing is the empty cell, NA, NaN and null in any case. */
enum kind { KIND_MISSING, KIND_INTEGER, KIND_REAL, KIND_BOOLEAN, KIND_TEXT };

struct value {
    enum kind kind;
    double number; /* of an integer or real; 0 or 1 of a boolean; NaN of what is missing */
};

/* Blanks around a number, boolean or missing mark do not count. A number is decimal, finite, with
 * an optional exponent; an integer is one without point or exponent that a double holds exactly. */
struct value value_read(struct span cell);
/* Only its kind, which is found faster. */
enum kind value_kind(struct span cell);

/* The kind of a column that holds cells of both kinds. */
enum kind kind_join(enum kind a, enum kind b);
const char *kind_name(enum kind k);
bool kind_is_number(enum kind k);

/* The shortest decimal that reads back as x, at most VALUE_TEXT bytes with the NUL. */
enum { VALUE_TEXT = 32 };
size_t value_write(double x, char out[VALUE_TEXT]);

#endif
