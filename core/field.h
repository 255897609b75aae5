/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_FIELD_H
#define CORE_FIELD_H

#include "core/arena.h"
#include "core/err.h"
#include "core/text.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One description of a struct serves four ways: body to struct, row to struct, struct to JSON, and
 * the OpenAPI schema. Member types: TEXT, NAME and TIME const char *; INT int64_t; REAL double;
 * BOOL bool; JSON and OBJECT json_t *; TEXTS struct texts. TIME is RFC 3339 text in UTC. */
enum field_type {
    FIELD_TEXT,
    FIELD_NAME, /* text that name_valid accepts */
    FIELD_TIME,
    FIELD_INT,
    FIELD_REAL,
    FIELD_BOOL,
    FIELD_JSON,   /* any value */
    FIELD_OBJECT, /* a JSON object */
    FIELD_TEXTS,  /* a list of texts */
    FIELD_RECORD, /* a nested struct, described by .fields */
};

struct texts {
    const char **items;
    size_t count;
};

struct field {
    const char *name;
    enum field_type type;
    size_t offset;
    bool optional; /* may be absent or null in a body; output leaves it out when NULL */
    int64_t min;   /* INT: smallest and largest value; TEXT: fewest and most bytes; */
    int64_t max;   /* TEXTS: fewest and most items */
    const char *const *choices; /* NULL, or the only texts taken from a body */
    const struct field *fields; /* RECORD */
    const char *help;
};

/* clang-format off */
#define FIELD_(record, member, kind, ...) {.name = #member, .type = (kind), .offset = offsetof(record, member), __VA_ARGS__}
#define TEXT(record, member, longest)   FIELD_(record, member, FIELD_TEXT, .min = 1, .max = (longest))
#define NAME(record, member)            FIELD_(record, member, FIELD_NAME, .max = 63)
#define TIME(record, member)            FIELD_(record, member, FIELD_TIME, .max = 40)
#define CHOICE(record, member, list)    FIELD_(record, member, FIELD_TEXT, .max = 64, .choices = (list))
#define INT(record, member, least, most) FIELD_(record, member, FIELD_INT, .min = (least), .max = (most))
#define REAL(record, member)            FIELD_(record, member, FIELD_REAL, .max = 0)
#define BOOL(record, member)            FIELD_(record, member, FIELD_BOOL, .max = 0)
#define JSON(record, member)            FIELD_(record, member, FIELD_JSON, .max = 0)
#define OBJECT(record, member)          FIELD_(record, member, FIELD_OBJECT, .max = 0)
#define TEXTS(record, member, most)     FIELD_(record, member, FIELD_TEXTS, .max = (most))
#define RECORD(record, member, table)   FIELD_(record, member, FIELD_RECORD, .fields = (table))
/* The same, but may be absent: the member keeps the value it had before reading (NULL, 0, false). */
#define OPT_TEXT(record, member, longest)   FIELD_(record, member, FIELD_TEXT, .optional = true, .max = (longest))
#define OPT_NAME(record, member)            FIELD_(record, member, FIELD_NAME, .optional = true, .max = 63)
#define OPT_TIME(record, member)            FIELD_(record, member, FIELD_TIME, .optional = true, .max = 40)
#define OPT_CHOICE(record, member, list)    FIELD_(record, member, FIELD_TEXT, .optional = true, .max = 64, .choices = (list))
#define OPT_INT(record, member, least, most) FIELD_(record, member, FIELD_INT, .optional = true, .min = (least), .max = (most))
#define OPT_REAL(record, member)            FIELD_(record, member, FIELD_REAL, .optional = true)
#define OPT_BOOL(record, member)            FIELD_(record, member, FIELD_BOOL, .optional = true)
#define OPT_JSON(record, member)            FIELD_(record, member, FIELD_JSON, .optional = true)
#define OPT_OBJECT(record, member)          FIELD_(record, member, FIELD_OBJECT, .optional = true)
#define OPT_TEXTS(record, member, most)     FIELD_(record, member, FIELD_TEXTS, .optional = true, .max = (most))
#define FIELDS_END {.name = NULL}
/* clang-format on */

/* Fill *out from body: every field present (or optional) and of its type and bounds, no member that
 * is not a field. On ERR_INVALID *why is a sentence that names the member, in the arena. Texts and
 * JSON stay owned by body; lists are in the arena. */
MUST_CHECK enum err field_from_json(struct arena *a, const struct field *fields, const json_t *body,
                                    void *out, const char **why);

/* A new JSON object, owned by the caller. NULL texts and JSON are null, or absent when optional. */
json_t *field_to_json(const struct field *fields, const void *in);

/* The same as compact JSON, without the detour through an object: replies are made by the thousand.
 * out->failed when it does not fit. */
void field_write(const struct field *fields, const void *in, struct text *out);
/* A JSON text of s; null for NULL and for what is not UTF-8. */
void field_write_text(const char *s, struct text *out);

/* The fields as an OpenAPI 3.1 schema object, owned by the caller. */
json_t *field_schema(const struct field *fields);

#endif
