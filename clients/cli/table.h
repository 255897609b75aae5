/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "core/arena.h"
#include "core/text.h"

#include <jansson.h>

/* Columns that stand straight at a terminal. */
struct table;

/* columns: "NAME=name,SIZE=size>": heading, member (dots go deeper), '>' for flush right. */
struct table *table_new(struct arena *a, const char *columns);
void table_add(struct table *t, const json_t *object);
void table_write(const struct table *t, struct text *out, bool bold);

/* Columns a terminal gives to UTF-8 text; needs a UTF-8 LC_CTYPE for more than ASCII. */
size_t text_width(const char *s);
/* Text fit for a terminal: whatever would steer it shows as '?'. Long text is cut. */
char *clean_text(struct arena *a, const char *s);
/* What a value looks like to people. */
char *cell_text(struct arena *a, const json_t *value);
/* The member at "a.b.c"; NULL when there is none. */
const json_t *member_at(const json_t *object, const char *path);

#endif
