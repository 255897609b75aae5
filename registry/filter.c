/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/filter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct reader {
    struct arena *arena;
    const char *at;
    const char *why;
};

static enum err refuse(struct reader *r, const char *what)
{
    r->why = arena_printf(r->arena, "Invalid filter or order: %s, at \"%.60s\"", what, r->at);
    return ERR_INVALID;
}

static void skip(struct reader *r)
{
    r->at += strspn(r->at, " \t\r\n");
}

static bool word_byte(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
           c == '-' || c == '/' || c == ':' || c == '@' || (unsigned char)c >= 0x80;
}

static size_t word_length(const char *text, bool dots)
{
    size_t n = 0;

    while (word_byte(text[n]) || (dots && text[n] == '.'))
        n++;
    return n;
}

/* The text between two of the same quotes; a doubled quote does not end it, and stays doubled. */
static enum err quoted(struct reader *r, const char **out)
{
    char quote = *r->at;
    const char *from = r->at + 1;
    const char *end = from;

    while (*end != '\0' && (*end != quote || end[1] == quote))
        end += *end == quote ? 2 : 1;
    if (*end == '\0')
        return refuse(r, "a quote is not closed");
    *out = arena_copy(r->arena, from, (size_t)(end - from));
    r->at = end + 1;
    return OK;
}

static enum err key_part(struct reader *r, const char **out)
{
    size_t length = word_length(r->at, true);

    if (*r->at == '`' || *r->at == '"')
        return quoted(r, out);
    if (length == 0)
        return refuse(r, "a name is expected");
    *out = arena_copy(r->arena, r->at, length);
    r->at += length;
    return OK;
}

static enum err identifier(struct reader *r, const char **entity, const char **key)
{
    size_t length;

    *entity = "";
    skip(r);
    length = word_length(r->at, false);
    if (length > 0 && r->at[length] == '.') {
        *entity = arena_copy(r->arena, r->at, length);
        r->at += length + 1;
    }
    return key_part(r, key);
}

/* A keyword that ends where no word goes on. */
static bool keyword(struct reader *r, const char *word)
{
    size_t length = strlen(word);

    if (strncasecmp(r->at, word, length) != 0 || word_byte(r->at[length]) || r->at[length] == '.')
        return false;
    r->at += length;
    skip(r);
    return true;
}

static const struct {
    const char *text;
    enum filter_op op;
} signs[] = {
    {"!=", FILTER_NE}, {">=", FILTER_GE}, {"<=", FILTER_LE},
    {"=", FILTER_EQ},  {">", FILTER_GT},  {"<", FILTER_LT},
};

static const struct {
    const char *text;
    enum filter_op op;
} words[] = {
    {"LIKE", FILTER_LIKE},
    {"ILIKE", FILTER_ILIKE},
    {"RLIKE", FILTER_RLIKE},
    {"IN", FILTER_IN},
};

/* IS, NOT and what follows them. */
static bool phrase(struct reader *r, enum filter_op *op)
{
    bool absent;

    if (keyword(r, "NOT")) {
        *op = FILTER_NOT_IN;
        return keyword(r, "IN");
    }
    if (!keyword(r, "IS"))
        return false;
    absent = !keyword(r, "NOT");
    *op = absent ? FILTER_NULL : FILTER_NOT_NULL;
    return keyword(r, "NULL");
}

static enum err comparison(struct reader *r, enum filter_op *op)
{
    skip(r);
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        size_t length = strlen(signs[i].text);

        if (strncmp(r->at, signs[i].text, length) == 0) {
            *op = signs[i].op;
            r->at += length;
            skip(r);
            return OK;
        }
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (keyword(r, words[i].text)) {
            *op = words[i].op;
            return OK;
        }
    return phrase(r, op) ? OK
                         : refuse(r, "an operator is expected: = != > >= < <= LIKE ILIKE RLIKE IN, "
                                     "NOT IN, IS NULL or IS NOT NULL");
}

static enum err list(struct reader *r, struct texts *out)
{
    *out = (struct texts){.items = arena_alloc(r->arena, FILTER_ITEMS_MAX * sizeof(const char *))};
    do {
        r->at++;
        skip(r);
        if (*r->at == ')' && out->count > 0)
            break; /* after the last comma, as Python writes a tuple of one */
        if (*r->at != '\'' && *r->at != '"')
            return refuse(r, "a list holds quoted texts");
        if (out->count == FILTER_ITEMS_MAX)
            return refuse(r, "the list has too many items");
        TRY(quoted(r, &out->items[out->count++]));
        skip(r);
    } while (*r->at == ',');
    if (*r->at != ')')
        return refuse(r, "a list ends with )");
    r->at++;
    return OK;
}

static enum err number(struct reader *r, struct filter_clause *c)
{
    size_t length = strspn(r->at, "+-.0123456789eE");
    char *text = arena_copy(r->arena, r->at, length);
    char *end;

    c->type = FILTER_NUMBER;
    c->text = text;
    c->number = strtod(text, &end);
    if (length == 0 || *end != '\0' || !isfinite(c->number))
        return refuse(r, "a quoted text, a number or a list is expected");
    r->at += length;
    return OK;
}

static enum err value(struct reader *r, struct filter_clause *c)
{
    if (*r->at == '\'' || *r->at == '"') {
        c->type = FILTER_STRING;
        return quoted(r, &c->text);
    }
    if (*r->at != '(')
        return number(r, c);
    c->type = FILTER_LIST;
    return list(r, &c->list);
}

static enum err clause(struct reader *r, struct filter_clause *c)
{
    TRY(identifier(r, &c->entity, &c->key));
    TRY(comparison(r, &c->op));
    c->type = FILTER_NOTHING;
    if (c->op == FILTER_NULL || c->op == FILTER_NOT_NULL)
        return OK;
    TRY(value(r, c));
    if ((c->type == FILTER_LIST) != (c->op == FILTER_IN || c->op == FILTER_NOT_IN))
        return refuse(r, "IN and NOT IN want a list, and nothing else does");
    return OK;
}

static enum err clauses(struct reader *r, struct filter *out)
{
    skip(r);
    while (*r->at != '\0') {
        if (out->count == FILTER_CLAUSES_MAX)
            return refuse(r, "there are too many clauses");
        TRY(clause(r, &out->clauses[out->count++]));
        skip(r);
        if (*r->at == '\0')
            break;
        if (!keyword(r, "AND"))
            return refuse(r, "clauses are joined by AND, and by nothing else");
        if (*r->at == '\0')
            return refuse(r, "a clause is expected after AND");
    }
    return OK;
}

enum err filter_parse(struct arena *a, const char *text, struct filter *out, const char **why)
{
    struct reader r = {.arena = a, .at = text == NULL ? "" : text};
    enum err e;

    *out = (struct filter){.count = 0};
    e = strlen(r.at) > FILTER_TEXT_MAX ? refuse(&r, "it is too long") : clauses(&r, out);
    *why = r.why;
    return e;
}

static enum err order(struct reader *r, struct filter_order *out)
{
    skip(r);
    TRY(identifier(r, &out->entity, &out->key));
    skip(r);
    out->descending = keyword(r, "DESC");
    if (!out->descending)
        (void)keyword(r, "ASC");
    return *r->at == '\0' ? OK : refuse(r, "an order is a name and ASC or DESC");
}

enum err filter_order_parse(struct arena *a, const char *text, struct filter_order *out,
                            const char **why)
{
    struct reader r = {.arena = a, .at = text};
    enum err e;

    *out = (struct filter_order){.key = ""};
    e = strlen(text) > FILTER_TEXT_MAX ? refuse(&r, "it is too long") : order(&r, out);
    *why = r.why;
    return e;
}
