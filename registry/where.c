/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/where.h"

#include "auth/auth.h"
#include "registry/mlflow/mlflow.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { SQL_MAX = 1 << 18, PATTERN_MAX = 1000 };

static void release(void *where)
{
    text_free(&((struct where *)where)->sql);
}

struct where *where_new(struct arena *a)
{
    struct where *w = arena_alloc(a, sizeof(*w));

    w->arena = a;
    w->sql = text_new(SQL_MAX);
    arena_own(a, w, release);
    return w;
}

void where_add(struct where *w, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    text_puts(&w->sql, arena_vprintf(w->arena, format, args));
    va_end(args);
}

int where_bind(struct where *w, struct param value)
{
    if (w->count == DB_PARAMS_MAX) {
        w->full = true;
        return 1;
    }
    w->params[w->count++] = value;
    return (int)w->count;
}

void where_readable(struct where *w, const char *column, const struct readable *r)
{
    const struct param params[] = {READABLE_PARAMS(r)};

    where_add(w, " AND ($%d::boolean OR %s = ANY ($%d::text[]))", where_bind(w, params[0]), column,
              where_bind(w, params[1]));
    where_add(w, " AND NOT %s = ANY ($%d::text[])", column, where_bind(w, params[2]));
}

bool where_lists(const char *words, const char *word)
{
    size_t length = strlen(word);

    for (const char *at = length == 0 ? NULL : strstr(words, word); at != NULL;
         at = strstr(at + 1, word))
        if (at > words && at[-1] == ' ' && at[length] == ' ')
            return true;
    return false;
}

const struct where_attribute *where_attribute_of(const struct where_subject *s, const char *entity,
                                                 const char *key)
{
    if (*entity != '\0' && !where_lists(s->entities, entity))
        return NULL;
    for (const struct where_attribute *a = s->attributes; *key != '\0' && a->names != NULL; a++)
        if (where_lists(a->names, key))
            return a;
    return NULL;
}

const struct where_named *where_named_of(const struct where_subject *s, const char *entity)
{
    for (const struct where_named *n = s->named; *entity != '\0' && n->entities != NULL; n++)
        if (where_lists(n->entities, entity))
            return n;
    return NULL;
}

static const char *sign(enum filter_op op)
{
    static const char *const signs[] = {"=", "<>", "<", "<=", ">", ">="};

    return op <= FILTER_GE ? signs[op] : "=";
}

static enum err test_number(struct request *rq, struct where *w, const char *column,
                            const struct filter_clause *c)
{
    if (c->type != FILTER_NUMBER || c->op > FILTER_GE)
        return fail(rq, ERR_INVALID,
                    "Invalid filter: %s is compared with a number by = != > >= < <=", c->key);
    where_add(w, "%s %s $%d::float8", column, sign(c->op), where_bind(w, P_REAL(c->number)));
    return OK;
}

static enum err test_text(struct request *rq, struct where *w, const char *column,
                          const struct filter_clause *c)
{
    if (c->type == FILTER_NUMBER ||
        (c->op != FILTER_EQ && c->op != FILTER_NE && c->op < FILTER_LIKE))
        return fail(rq, ERR_INVALID,
                    "Invalid filter: %s is compared with a quoted text by = != LIKE ILIKE RLIKE IN",
                    c->key);
    switch (c->op) {
    case FILTER_LIKE:
    case FILTER_ILIKE: /* without an escape, so that no pattern is malformed */
        where_add(w, "%s %s $%d::text ESCAPE ''", column, c->op == FILTER_LIKE ? "LIKE" : "ILIKE",
                  where_bind(w, P_TEXT(c->text)));
        break;
    case FILTER_RLIKE:
        if (!w->patterns)
            return fail(rq, ERR_INVALID, "Invalid filter: RLIKE is only for traces");
        if (strlen(c->text) > PATTERN_MAX)
            return fail(rq, ERR_INVALID, "Invalid filter: a pattern has at most %d bytes",
                        PATTERN_MAX);
        where_add(w, "%s ~ $%d::text", column, where_bind(w, P_TEXT(c->text)));
        break;
    case FILTER_IN:
        where_add(w, "%s = ANY ($%d::text[])", column,
                  where_bind(w, P_TEXTS(c->list.items, c->list.count)));
        break;
    case FILTER_NOT_IN:
        where_add(w, "%s <> ALL ($%d::text[])", column,
                  where_bind(w, P_TEXTS(c->list.items, c->list.count)));
        break;
    default:
        where_add(w, "%s %s $%d::text", column, sign(c->op), where_bind(w, P_TEXT(c->text)));
    }
    return OK;
}

enum err where_test(struct request *rq, struct where *w, const char *column, bool numeric,
                    const struct filter_clause *c)
{
    if (c->type == FILTER_NOTHING) { /* that there is nothing was said before */
        where_add(w, "%s IS NOT NULL", column);
        return OK;
    }
    return (numeric ? test_number : test_text)(rq, w, column, c);
}

static enum err add_clause(struct request *rq, struct where *w, const struct where_subject *s,
                           const struct filter_clause *c)
{
    const struct where_named *n = where_named_of(s, c->entity);
    const struct where_attribute *a = where_attribute_of(s, c->entity, c->key);
    char *key;

    where_add(w, " AND ");
    if (n != NULL) {
        /* exists has one %d, for the key */
        key = strstr(n->exists, "$%d");
        where_add(w, "%s%.*s$%d%s", c->op == FILTER_NULL ? "NOT " : "", (int)(key - n->exists),
                  n->exists, where_bind(w, P_TEXT(c->key)), key + 3);
        TRY(where_test(rq, w, n->value, n->numeric, c));
        where_add(w, ")");
        return OK;
    }
    if (a == NULL)
        return fail(rq, ERR_INVALID, "Invalid filter: there is no %s%s%s to search by", c->entity,
                    *c->entity == '\0' ? "" : ".", c->key);
    if (c->op == FILTER_NULL) {
        where_add(w, "%s IS NULL", a->column);
        return OK;
    }
    return where_test(rq, w, a->column, a->numeric, c);
}

enum err where_filter(struct request *rq, struct where *w, const struct where_subject *subject,
                      const struct filter *f)
{
    for (size_t i = 0; i < f->count; i++)
        TRY(add_clause(rq, w, subject, &f->clauses[i]));
    return OK;
}

enum err where_orders(struct request *rq, struct where *w, const struct where_subject *subject,
                      const struct texts *orders)
{
    const struct where_attribute *a;
    struct filter_order o;
    const char *why;

    for (size_t i = 0; i < orders->count; i++) {
        if (filter_order_parse(rq->arena, orders->items[i], &o, &why) != OK)
            return fail(rq, ERR_INVALID, "%s", why);
        a = where_attribute_of(subject, o.entity, o.key);
        if (a == NULL)
            return fail(rq, ERR_INVALID, "Invalid order_by: %s", orders->items[i]);
        where_add(w, "%s%s, ", a->column, o.descending ? " DESC" : "");
    }
    return OK;
}

enum err where_json(struct db *db, struct where *w, const char **out)
{
    struct query q = {.name = NULL, .text = w->sql.data};

    if (w->full || w->sql.failed)
        return ERR_TOO_LARGE;
    return mlflow_json(db, &q, out, w->params, w->count);
}

enum err where_list(struct db *db, struct where *w, const struct field *fields, size_t size,
                    struct rows *out)
{
    const struct query q = {.name = NULL, .text = w->sql.data};

    if (w->full || w->sql.failed)
        return ERR_TOO_LARGE;
    return db_list(db, &q, fields, size, out, w->params, w->count);
}
