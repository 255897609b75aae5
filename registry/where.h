/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_WHERE_H
#define REGISTRY_WHERE_H

#include "core/request.h"
#include "registry/filter.h"

/* The one place where SQL is built. What comes from outside is only ever a bound parameter; the
 * text is put together from constants of the program. */
struct where {
    struct arena *arena;
    struct text sql;
    struct param params[DB_PARAMS_MAX];
    size_t count;
    bool full;     /* more parameters than a statement takes */
    bool patterns; /* set by searches that take RLIKE */
};

/* In the arena, which frees it. */
struct where *where_new(struct arena *a);
void where_add(struct where *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Bind a value: its number, for "$%d". */
int where_bind(struct where *w, struct param value);

/* READABLE of auth/auth.h on a column with names. */
struct readable;
void where_readable(struct where *w, const char *column, const struct readable *r);

/* A thing that can be searched for by columns and by named values. */
struct where_attribute {
    const char *names;  /* " start_time created Created " */
    const char *column; /* an SQL expression */
    bool numeric;
};
struct where_named {
    const char *entities; /* " tag tags " */
    const char *exists; /* "EXISTS (SELECT FROM … x WHERE … AND x.key = $%d AND ": then the test */
    const char *value; /* "x.value", the expression tested */
    bool numeric;
};
struct where_subject {
    const struct where_attribute *attributes; /* ends with names NULL */
    const struct where_named *named;          /* ends with entities NULL */
    const char *entities; /* of attributes: "  attr attribute attributes run " */
};

/* " AND …" for each clause. ERR_INVALID names what the subject does not have. */
MUST_CHECK enum err where_filter(struct request *rq, struct where *w,
                                 const struct where_subject *subject, const struct filter *f);
/* One comparison of a column or expression with the clause's value; IS NULL and IS NOT NULL both
 * ask for a value: whoever looks for none negates it. */
MUST_CHECK enum err where_test(struct request *rq, struct where *w, const char *column,
                               bool numeric, const struct filter_clause *c);
/* "COLUMN DESC, " for each order by an attribute. ERR_INVALID names what is none. */
MUST_CHECK enum err where_orders(struct request *rq, struct where *w,
                                 const struct where_subject *subject, const struct texts *orders);
/* The column of an attribute, and whether there is such a named value: for an order. */
const struct where_attribute *where_attribute_of(const struct where_subject *s, const char *entity,
                                                 const char *key);
const struct where_named *where_named_of(const struct where_subject *s, const char *entity);

/* Run it; the only column is JSON text. ERR_NOT_FOUND for no row. */
MUST_CHECK enum err where_json(struct db *db, struct where *w, const char **out);
/* As db_list. */
MUST_CHECK enum err where_list(struct db *db, struct where *w, const struct field *fields,
                               size_t size, struct rows *out);
/* Whether " one two " lists the word. */
bool where_lists(const char *words, const char *word);

#endif
