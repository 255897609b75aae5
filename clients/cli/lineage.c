/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/run.h"

#include "clients/cli/http.h"
#include "clients/cli/print.h"
#include "clients/cli/tree.h"

#include <string.h>

/* Nodes of other systems are named as they are; ours may leave out the project. */
static const char *full_name(const struct cli *c, const char *node)
{
    if (strncmp(node, "projects/", 9) == 0 || strchr(node, ':') != NULL)
        return node;
    return arena_printf(c->arena, "projects/%s/%s", project_name(c), node);
}

static const char *node_name(const struct cli *c)
{
    return full_name(c, c->args.values[0]);
}

int run_lineage_walk(struct cli *c)
{
    const char *direction = strchr(c->command->name, ' ') + 1;
    const char *path = path_query(c, "/v1/lineage", "node", node_name(c));
    struct text out = text_new(64 << 20);
    const json_t *graph;

    path = path_query(c, path, "direction", direction);
    path = path_query(c, path, "depth", option(c, "--depth"));
    path = path_query(c, path, "as_of", option(c, "--as-of"));
    path = path_query(c, path, "known_at", option(c, "--known-at"));
    graph = api(c, "GET", path, NULL);
    if (printed(c, graph))
        return DONE;
    tree_write(c->arena, graph, strcmp(direction, "upstream") == 0, &out);
    print_text(&out);
    if (!json_is_true(json_object_get(graph, "complete")))
        note(c, "this is not all: %s",
             json_string_value(json_object_get(graph, "truncated_reason")) == NULL
                 ? "the service gave no reason"
                 : json_string_value(json_object_get(graph, "truncated_reason")));
    return DONE;
}

int run_lineage_impact(struct cli *c)
{
    const json_t *impact =
        api(c, "GET", path_query(c, "/v1/lineage/impact", "node", node_name(c)), NULL);

    if (printed(c, impact))
        return DONE;
    print_array(c, NULL, json_object_get(impact, "endpoints"),
                "ENDPOINT=endpoint,VERSION=version,SERVING=serving,FROM=from,UNTIL=until,"
                "APPROVALS=approvals,DEPLOYMENT=deployment");
    if (json_array_size(json_object_get(impact, "endpoints")) == 0)
        say(c, "no endpoint serves or served anything that came of it");
    if (!json_is_true(json_object_get(impact, "complete")))
        note(c, "this is not all: the walk was cut short");
    return DONE;
}

int run_lineage_path(struct cli *c)
{
    const char *path = path_query(c, "/v1/lineage/path", "from", node_name(c));
    const json_t *found =
        api(c, "GET", path_query(c, path, "to", full_name(c, c->args.values[1])), NULL);

    if (printed(c, found))
        return DONE;
    print_array(c, NULL, json_object_get(found, "edges"), "FROM=src,HOW=kind,TO=dst,AT=at");
    if (!json_is_true(json_object_get(found, "found")))
        say(c, json_is_true(json_object_get(found, "complete")) ? "neither led to the other"
                                                                : "no path was found, but not all "
                                                                  "could be looked at");
    return DONE;
}

int run_lineage_coverage(struct cli *c)
{
    const json_t *found = api(c, "GET", "/v1/lineage/coverage", NULL);

    if (printed(c, found))
        return DONE;
    print_array(c, NULL, json_object_get(found, "models"),
                "ENDPOINT=endpoint,MODEL=model,COMPLETE=complete,UNKNOWN=unknown");
    return DONE;
}
