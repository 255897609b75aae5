/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/run.h"

#include "clients/cli/http.h"
#include "clients/cli/print.h"
#include "clients/cli/vkeys.h"
#include "lineage/sealed/graph_proof.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROOF_FILE_MAX = 256 << 20 };

int run_lineage_prove(struct cli *c)
{
    const char *node = c->args.values[0];
    const json_t *proof;
    char *text;

    if (strncmp(node, "projects/", 9) != 0 && strchr(node, ':') == NULL)
        node = arena_printf(c->arena, "projects/%s/%s", project_name(c), node);
    proof = api(c, "GET",
                path_query(c, path_query(c, "/v1/lineage/proof?direction=upstream", "node", node),
                           "depth", option(c, "--depth")),
                NULL);
    text = json_dumps(proof, JSON_COMPACT);
    if (text != NULL) {
        arena_own(c->arena, text, free);
        file_write(c->args.values[1], text, strlen(text));
    }
    say(c, "%zu edges and %zu entries", json_array_size(json_object_get(proof, "edges")),
        json_array_size(json_object_get(proof, "entries")));
    if (!json_is_true(json_object_get(proof, "complete")))
        note(c, "this is not all: the walk was cut short");
    return DONE;
}

static void tell(void *context, const char *fault)
{
    (void)context;
    (void)fprintf(stderr, "%s\n", fault);
}

int run_lineage_verify(struct cli *c)
{
    struct graph_check check;
    const char *path = option(c, "--vkey");
    struct vkeys keys;
    size_t length;
    char *text;
    json_t *file;
    bool good;

    if (path == NULL)
        die(USAGE, "usage: %s needs --vkey FILE, a key you have from elsewhere", c->command->name);
    vkeys_read(c, path, &keys);
    text = file_read(c, c->args.values[0], PROOF_FILE_MAX, &length);
    file = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    if (file == NULL)
        die(UNVERIFIED, "%s is not JSON", c->args.values[0]);
    good = graph_proof_check(
        &(struct graph_question){
            .file = file, .keys = keys.keys, .key_count = keys.count, .say = tell},
        &check);
    json_decref(file);
    say(c, "%zu of %zu edges proven by %zu entries, in a log of %llu leaves at %s", check.proven,
        check.edges, check.entries, (unsigned long long)check.checkpoint.size,
        check.entries == 0 ? "-" : check.checkpoint.origin);
    return good ? DONE : UNVERIFIED;
}
