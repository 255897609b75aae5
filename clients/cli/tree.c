/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/tree.h"

#include "clients/cli/table.h"

#include <string.h>

enum { DIGEST_SHOWN = 12, DEEPEST = 64 };

struct drawing {
    struct arena *arena;
    const json_t *graph;
    const char *from; /* the member of an edge that is the nearer end */
    const char *to;
    json_t *seen;
    struct text *out;
};

static const char *text_at(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));

    return text == NULL ? "" : text;
}

static const json_t *node_named(const json_t *graph, const char *name)
{
    const json_t *node;
    size_t i;

    json_array_foreach(json_object_get(graph, "nodes"), i,
                       node) if (strcmp(text_at(node, "name"), name) == 0 ||
                                 strcmp(text_at(node, "id"), name) == 0) return node;
    return NULL;
}

/* How a node stands in the tree: "NAME  (EDGE)  sha256 0123…". */
static void label(struct drawing *d, const char *name, const char *edge, bool again)
{
    const json_t *node = node_named(d->graph, name);
    const char *digest = text_at(node, "digest");

    if (json_is_true(json_object_get(node, "redacted")))
        text_puts(d->out, "(something you may not see)");
    else
        text_puts(d->out, clean_text(d->arena, name));
    if (*edge != '\0')
        text_printf(d->out, "  (%s)", clean_text(d->arena, edge));
    if (*digest != '\0')
        text_printf(d->out, "  sha256 %.*s", DIGEST_SHOWN, clean_text(d->arena, digest));
    text_puts(d->out, again ? "  (see above)\n" : "\n");
}

static void branch(struct drawing *d, const char *name, const char *edge, const char *indent,
                   int depth);

static const json_t *next_edge(const struct drawing *d, const char *name, size_t *at)
{
    const json_t *edges = json_object_get(d->graph, "edges");

    for (; *at < json_array_size(edges); ++*at) {
        const json_t *edge = json_array_get(edges, *at);

        if (strcmp(text_at(edge, d->from), name) == 0) {
            ++*at;
            return edge;
        }
    }
    return NULL;
}

static void children(struct drawing *d, const char *name, const char *indent, int depth)
{
    size_t at = 0;
    const json_t *edge = next_edge(d, name, &at);

    while (edge != NULL) {
        const json_t *after = next_edge(d, name, &at);

        text_printf(d->out, "%s%s", indent, after == NULL ? "└── " : "├── ");
        branch(d, text_at(edge, d->to), text_at(edge, "kind"),
               arena_printf(d->arena, "%s%s", indent, after == NULL ? "    " : "│   "), depth + 1);
        edge = after;
    }
}

static void branch(struct drawing *d, const char *name, const char *edge, const char *indent,
                   int depth)
{
    bool again = json_object_get(d->seen, name) != NULL || depth > DEEPEST;

    label(d, name, edge, again);
    (void)json_object_set_new(d->seen, name, json_true());
    if (!again)
        children(d, name, indent, depth);
}

void tree_write(struct arena *a, const json_t *graph, bool upstream, struct text *out)
{
    struct drawing d = {.arena = a,
                        .graph = graph,
                        .from = upstream ? "dst" : "src",
                        .to = upstream ? "src" : "dst",
                        .seen = json_object(),
                        .out = out};

    branch(&d, text_at(graph, "root"), "", "", 0);
    json_decref(d.seen);
}
