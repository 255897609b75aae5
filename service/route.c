/* SPDX-License-Identifier: Apache-2.0 */
#include "service/route.h"

#include "auth/access/action.h"
#include "core/text.h"

#include <stdlib.h>
#include <string.h>

/* Every folder's routes.def, once for the declarations and once for the table. */
#define ROUTE(method, path, action, scope, tx, audit, body, dialect, handler, help)                \
    enum err handler(struct request *rq);                                                          \
    extern const struct field body[];
#include "service/all_routes.def"
#undef ROUTE

static const struct route table[] = {
#define ROUTE(method, path, action, scope, tx, audit, body, dialect, handler, help)                \
    {#method,           path,    action,   SCOPE_##scope, TX_##tx, AUDIT_##audit, body,            \
     DIALECT_##dialect, handler, #handler, help},
#include "service/all_routes.def"
#undef ROUTE
};

const struct route *const routes = table;
const unsigned routes_count = sizeof(table) / sizeof(table[0]);

enum { METHODS_MAX = 6, PARTS_MAX = 64, TARGET_MAX = 8192 };

/* One place in the tree of paths. literal is NULL for {arg}, {arg%} and {arg+}. */
struct node {
    const char *literal;
    size_t length;
    bool rest;    /* {arg+}: all that is left of the path */
    bool slashes; /* {arg%}: a name of another system, which may have slashes, escaped */
    struct node *first_child;
    struct node *next;
    const struct route *routes[METHODS_MAX];
};

static struct node root;

static struct node *child_for(struct node *parent, const char *part, size_t length)
{
    bool argument = *part == '{';
    bool rest = argument && part[length - 2] == '+';
    bool slashes = argument && part[length - 2] == '%';
    struct node **at = &parent->first_child;

    for (; *at != NULL; at = &(*at)->next) {
        const struct node *n = *at;

        if (argument ? n->literal == NULL && n->rest == rest && n->slashes == slashes
                     : n->literal != NULL && n->length == length &&
                           strncmp(n->literal, part, length) == 0)
            return *at;
    }
    *at = calloc(1, sizeof(**at));
    if (*at == NULL)
        abort();
    (*at)->literal = argument ? NULL : part;
    (*at)->length = length;
    (*at)->rest = rest;
    (*at)->slashes = slashes;
    return *at;
}

void routes_open(void)
{
    for (unsigned i = 0; i < routes_count; i++) {
        const char *part = routes[i].path + 1;
        struct node *n = &root;
        size_t slot = 0;

        while (*part != '\0') {
            size_t length = strcspn(part, "/");

            n = child_for(n, part, length);
            part += length + (part[length] == '/');
        }
        while (slot < METHODS_MAX && n->routes[slot] != NULL)
            slot++;
        if (slot == METHODS_MAX)
            abort();
        n->routes[slot] = &routes[i];
    }
}

/* NULL when it is malformed or hides a control character. */
static char *decode(struct arena *a, const char *text, size_t length, bool form)
{
    char *out = arena_alloc(a, length + 1);
    long n = percent_decode(text, length, form, out);

    for (long i = 0; i < n; i++)
        if ((unsigned char)out[i] < 0x20 || out[i] == 0x7f)
            return NULL;
    return n >= 0 && utf8_valid(out, (size_t)n) ? out : NULL;
}

/* No part of the path, and no piece between slashes that were escaped, is "." or "..". */
static bool part_safe(const char *part)
{
    if (part == NULL || *part == '\0' || strchr(part, '\\') != NULL)
        return false;
    for (const char *piece = part; piece != NULL; piece = strchr(piece, '/')) {
        size_t length;

        piece += *piece == '/';
        length = strcspn(piece, "/");
        if (length > 0 && length <= 2 && strncmp(piece, "..", length) == 0)
            return false;
    }
    return true;
}

/* raw: as it came; its slashes, if any, were escaped. */
struct parts {
    struct part {
        const char *text;
        const char *raw;
        bool slashes;
    } items[PARTS_MAX];
    size_t count;
};

/* Decode after splitting, so that no encoded slash or dot ever makes a part. */
static bool split(struct request *rq, const char *path, size_t length, struct parts *parts)
{
    const char *end = path + length;

    if (length == 0 || *path != '/')
        return false;
    for (const char *p = path + 1; p <= end;) {
        struct part *part = &parts->items[parts->count];
        size_t n = strcspn(p, "/");

        if (p + n > end)
            n = (size_t)(end - p);
        if (parts->count++ == PARTS_MAX)
            return false;
        part->text = decode(rq->arena, p, n, false);
        if (!part_safe(part->text))
            return false;
        part->slashes = strchr(part->text, '/') != NULL;
        part->raw = part->slashes ? arena_copy(rq->arena, p, n) : part->text;
        p += n + 1;
    }
    return true;
}

static const char *join(struct arena *a, const struct parts *parts, size_t from)
{
    const char *path = "";

    for (size_t i = from; i < parts->count; i++)
        path = arena_printf(a, "%s%s%s", path, i == from ? "" : "/", parts->items[i].raw);
    return path;
}

static bool any_slashes(const struct parts *parts, size_t from)
{
    for (size_t i = from; i < parts->count; i++)
        if (parts->items[i].slashes)
            return true;
    return false;
}

static bool same_literal(const struct node *n, const char *part)
{
    return n->literal != NULL && strncmp(n->literal, part, n->length) == 0 &&
           part[n->length] == '\0';
}

static const struct node *walk(struct request *rq, const struct parts *parts, size_t at,
                               const struct node *n, size_t taken);

/* Through an {arg}, which takes one part, an {arg%}, which takes one whose slashes are escaped too,
 * or an {arg+}, which takes all that are left. */
static const struct node *walk_argument(struct request *rq, const struct parts *parts, size_t at,
                                        const struct node *n, size_t taken)
{
    if (taken == PATH_ARGS_MAX ||
        (n->rest ? any_slashes(parts, at) : parts->items[at].slashes && !n->slashes))
        return NULL;
    rq->args[taken] = n->rest ? join(rq->arena, parts, at) : parts->items[at].text;
    return walk(rq, parts, n->rest ? parts->count : at + 1, n, taken + 1);
}

/* Literals win over arguments, so "/jobs/x" can never be taken for "/{kind}/x". */
static const struct node *walk(struct request *rq, const struct parts *parts, size_t at,
                               const struct node *n, size_t taken)
{
    const struct node *found = NULL;

    if (at == parts->count)
        return n->routes[0] == NULL ? NULL : n;
    for (const struct node *c = n->first_child; c != NULL && found == NULL; c = c->next)
        if (same_literal(c, parts->items[at].text))
            found = walk(rq, parts, at + 1, c, taken);
    for (const struct node *c = n->first_child; c != NULL && found == NULL; c = c->next)
        if (c->literal == NULL)
            found = walk_argument(rq, parts, at, c, taken);
    return found;
}

static bool parse_query(struct request *rq, const char *query)
{
    while (*query != '\0') {
        size_t length = strcspn(query, "&");
        size_t name = strcspn(query, "=&");
        size_t value = name < length ? name + 1 : length;
        struct pair *pair = &rq->query[rq->query_count];

        if (length > 0) {
            if (rq->query_count++ == PAIRS_MAX)
                return false;
            pair->name = decode(rq->arena, query, name, true);
            pair->value = decode(rq->arena, query + value, length - value, true);
            if (pair->name == NULL || pair->value == NULL)
                return false;
        }
        query += length + (query[length] == '&');
    }
    return true;
}

static const struct route *method_of(const struct node *n, const char *method)
{
    const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;

    for (size_t i = 0; i < METHODS_MAX && n->routes[i] != NULL; i++)
        if (strcmp(n->routes[i]->method, wanted) == 0)
            return n->routes[i];
    return NULL;
}

static const char *methods_of(struct arena *a, const struct node *n)
{
    const char *list = "";

    for (size_t i = 0; i < METHODS_MAX && n->routes[i] != NULL; i++)
        list = arena_printf(a, "%s%s%s", list, i == 0 ? "" : ", ", n->routes[i]->method);
    return list;
}

enum err route_find(struct request *rq, const char *method, const char *target)
{
    size_t length = strcspn(target, "?");
    struct parts parts = {.count = 0};
    const struct node *n;

    rq->path = target;
    if (strlen(target) > TARGET_MAX || !split(rq, target, length, &parts))
        return fail(rq, ERR_INVALID, "the path is not well formed");
    rq->path = arena_printf(rq->arena, "/%s", join(rq->arena, &parts, 0));
    if (target[length] == '?' && !parse_query(rq, target + length + 1))
        return fail(rq, ERR_INVALID, "the query is not well formed, or has over %d parameters",
                    PAIRS_MAX);
    n = walk(rq, &parts, 0, &root, 0);
    if (n == NULL && any_slashes(&parts, 0))
        return fail(rq, ERR_INVALID, "the path has an escaped slash where none may be");
    if (n == NULL)
        return ERR_NOT_FOUND;
    rq->route = method_of(n, method);
    if (rq->route != NULL)
        return OK;
    request_set_header(rq, "Allow", methods_of(rq->arena, n));
    return ERR_METHOD;
}

static const char *const scopes[] = {"none", "self", "platform", "tenant", "project", "workspace"};
static const char *const txs[] = {"none", "point", "read", "write", "manual"};
static const char *const audits[] = {"none", "metadata", "request", "response"};

void routes_print(FILE *out, bool json)
{
    for (unsigned i = 0; i < routes_count; i++) {
        const struct route *r = &routes[i];

        if (json)
            (void)fprintf(out,
                          "%s{\"method\":\"%s\",\"path\":\"%s\",\"action\":\"%s\",\"scope\":\"%s\","
                          "\"tx\":\"%s\",\"audit\":\"%s\",\"handler\":\"%s\",\"help\":\"%s\"}%s\n",
                          i == 0 ? "[" : " ", r->method, r->path, action_text(r->action),
                          scopes[r->scope], txs[r->tx], audits[r->audit], r->name, r->help,
                          i + 1 == routes_count ? "]" : ",");
        else
            (void)fprintf(out, "%-6s %-76s %-32s %s\n", r->method, r->path, action_text(r->action),
                          r->help);
    }
}
