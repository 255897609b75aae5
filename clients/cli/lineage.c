/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/run.h"

#include "clients/cli/http.h"
#include "clients/cli/print.h"
#include "clients/cli/tree.h"

#include <string.h>

static const char *node_name(const struct cli *c)
{
    const char *node = c->args.values[0];

    if (strncmp(node, "projects/", 9) == 0)
        return node;
    return arena_printf(c->arena, "projects/%s/%s", project_name(c), node);
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
