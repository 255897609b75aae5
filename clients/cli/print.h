/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PRINT_H
#define CLI_PRINT_H

#include "clients/cli/cli.h"

/* Three ways to print what the service answered, as the flags ask: its JSON; --quiet: only what
 * names each thing (id, number or name); else for people. */

/* "name  value" lines, in the service's order; objects inside are indented, lists of them tables.
 */
void print_object(const struct cli *c, const json_t *object);
/* {"value":[…]} as a table of those columns (table.h). */
void print_list(const struct cli *c, const json_t *list, const char *columns);
/* true when json or quiet has printed the object already, so that there is nothing to add. */
bool printed(const struct cli *c, const json_t *object);
void print_json(const json_t *json);
/* A line for people on stdout; nothing with --json or --quiet. */
void say(const struct cli *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A line of what goes on, on stderr; nothing with --quiet. */
void note(const struct cli *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A heading and a table of an array, indented by nothing; nothing when it is empty. */
void print_array(const struct cli *c, const char *heading, const json_t *array,
                 const char *columns);
/* An object member by member into out, indented. */
void object_text(struct arena *a, const json_t *object, int indent, struct text *out);
void print_text(struct text *t);
/* 1536 as "1.5 KiB". */
char *size_text(struct arena *a, json_int_t bytes);

#endif
