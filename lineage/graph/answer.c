/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/graph/answer.h"

#include "lineage/jsontext.h"

#include <string.h>

enum { ANSWER_MAX = 256 << 20 };

/* What edges call a node by. */
void graph_add_name(struct text *t, const char *prefix, const struct walk_node *node)
{
    text_puts(t, prefix);
    if (node->name != NULL)
        json_add_text(t, node->name);
    else
        text_printf(t, "\"redacted-%lld\"", (long long)node->id);
}

void graph_add_node(struct text *t, const struct walk_node *node)
{
    if (node->name == NULL) {
        graph_add_name(t, "{\"redacted\":true,\"id\":", node);
    } else {
        graph_add_name(t, "{\"name\":", node);
        json_add_member(t, false, "kind", node->kind);
        json_add_member(t, false, "project", node->project);
        json_add_member(t, false, "digest", node->digest);
        json_add_member(t, false, "created_at", node->created_at);
    }
    text_printf(t, ",\"depth\":%lld}", (long long)node->depth);
}

void graph_add_end(struct text *t, const char *truncated)
{
    text_printf(t, ",\"complete\":%s", truncated == NULL ? "true" : "false");
    if (truncated != NULL)
        json_add_member(t, false, "truncated_reason", truncated);
    text_puts(t, "}");
}

/* What a foreign system says of itself is declared; what this service did, it saw. */
static bool declared(const struct walk_node *node)
{
    return node->kind != NULL && strncmp(node->kind, "ol-", 3) == 0;
}

/* What came in a bundle is another installation's word, kept with its seal. */
static bool imported(const struct walk_node *node)
{
    return node->kind != NULL && strncmp(node->kind, "imported-", 9) == 0;
}

void graph_add_edge(struct text *t, const struct walk *w, size_t edge)
{
    const struct walk_edge *e = &w->edges[edge];

    graph_add_name(t, "{\"src\":", &w->nodes[e->src]);
    graph_add_name(t, ",\"dst\":", &w->nodes[e->dst]);
    json_add_member(t, false, "kind", e->kind);
    json_add_member(t, false, "at", e->at);
    if (declared(&w->nodes[e->src]) || declared(&w->nodes[e->dst]))
        json_add_member(t, false, "origin", "declared");
    else if (imported(&w->nodes[e->src]) || imported(&w->nodes[e->dst]))
        json_add_member(t, false, "origin", "imported");
    text_puts(t, "}");
}

void graph_add(struct text *t, const struct walk *w)
{
    graph_add_name(t, "{\"root\":", &w->nodes[0]);
    text_puts(t, ",\"nodes\":[");
    for (size_t i = 0; i < w->node_count; i++) {
        text_puts(t, i == 0 ? "" : ",");
        graph_add_node(t, &w->nodes[i]);
    }
    text_puts(t, "],\"edges\":[");
    for (size_t i = 0; i < w->edge_count; i++) {
        text_puts(t, i == 0 ? "" : ",");
        graph_add_edge(t, w, i);
    }
    text_puts(t, "]");
    graph_add_end(t, w->truncated);
}

static void release_text(void *text)
{
    text_free(text);
}

struct text *answer_text(struct request *rq)
{
    struct text *t = arena_alloc(rq->arena, sizeof(*t));

    *t = text_new(ANSWER_MAX);
    arena_own(rq->arena, t, release_text);
    return t;
}

enum err answer_reply(struct request *rq, const struct text *t)
{
    if (t->failed)
        return fail(rq, ERR_TOO_LARGE, "the answer is too large; ask for less depth");
    return request_reply_bytes(rq, "application/json", t->data, t->length);
}
