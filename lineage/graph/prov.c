/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/graph/prov.h"

#include <string.h>

struct prov {
    struct arena *arena;
    const struct walk *walk;
    json_t *document;
    size_t relations;
};

static bool is_activity(const struct walk_node *node)
{
    static const char *const kinds[] = {"job", "approval", "deployment", "ol-run", "run", "trace"};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(node->kind, kinds[i]) == 0)
            return true;
    return false;
}

static json_t *part(struct prov *p, const char *name)
{
    json_t *there = json_object_get(p->document, name);

    if (there == NULL) {
        there = json_object();
        json_object_set_new(p->document, name, there);
    }
    return there;
}

static const char *id_of(struct prov *p, const struct walk_node *node)
{
    return arena_printf(p->arena, "chancery:%s", node->name);
}

static void add_node(struct prov *p, const struct walk_node *node)
{
    json_t *about =
        json_pack("{s:s, s:{s:s, s:s}}", "prov:label", node->name, "prov:type", "$",
                  arena_printf(p->arena, "chancery:%s", node->kind), "type", "prov:QUALIFIED_NAME");

    if (node->digest != NULL)
        json_object_set_new(about, "chancery:sha256", json_string(node->digest));
    json_object_set_new(about, "chancery:project", json_string(node->project));
    json_object_set_new(part(p, is_activity(node) ? "activity" : "entity"), id_of(p, node), about);
}

/* By what the ends are: the record, and its members for the later and the earlier end. */
static const struct relation {
    bool later_acts;
    bool earlier_acts;
    const char *record;
    const char *later;
    const char *earlier;
} relations[] = {
    {true, false, "used", "prov:activity", "prov:entity"},
    {false, true, "wasGeneratedBy", "prov:entity", "prov:activity"},
    {true, true, "wasInformedBy", "prov:informed", "prov:informant"},
    {false, false, "wasDerivedFrom", "prov:generatedEntity", "prov:usedEntity"},
};

static void add_edge(struct prov *p, const struct walk_edge *e)
{
    const struct walk_node *earlier = &p->walk->nodes[e->src], *later = &p->walk->nodes[e->dst];

    if (earlier->name == NULL || later->name == NULL)
        return;
    for (size_t i = 0; i < sizeof(relations) / sizeof(relations[0]); i++) {
        const struct relation *r = &relations[i];
        json_t *about;

        if (r->later_acts != is_activity(later) || r->earlier_acts != is_activity(earlier))
            continue;
        about = json_pack("{s:s, s:s, s:s}", r->later, id_of(p, later), r->earlier,
                          id_of(p, earlier), "chancery:kind", e->kind);
        if (i < 2)
            json_object_set_new(about, "prov:time", json_string(e->at));
        json_object_set_new(part(p, r->record), arena_printf(p->arena, "_:e%zu", ++p->relations),
                            about);
    }
}

json_t *prov_of(struct arena *a, const struct walk *w, const char *base)
{
    struct prov p = {
        .arena = a, .walk = w, .document = json_pack("{s:{s:s}}", "prefix", "chancery", base)};

    for (size_t i = 0; i < w->node_count; i++)
        if (w->nodes[i].name != NULL)
            add_node(&p, &w->nodes[i]);
    for (size_t i = 0; i < w->edge_count; i++)
        add_edge(&p, &w->edges[i]);
    return p.document;
}
