/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/run.h"

#include "clients/cli/asset.h"
#include "clients/cli/http.h"
#include "clients/cli/print.h"
#include "clients/cli/table.h"

#include <string.h>

int run_endpoint_create(struct cli *c)
{
    struct call call = {.method = "PUT",
                        .path = path_of(c, "/v1/projects/{project}/endpoints/{1}", NULL),
                        .json =
                            keep(c, json_pack("{s:s*}", "description", option(c, "--description"))),
                        .headers = {"If-None-Match: *"}};
    const struct reply *r = http_call(c, &call);

    reply_expect(c, r);
    print_object(c, reply_json(c, r));
    return DONE;
}

int run_endpoint_deploy(struct cli *c)
{
    const char *version = c->args.values[2];
    const char *wanted =
        arena_printf(c->arena, version[0] == '@' ? "%s%s" : "%s:%s", c->args.values[1], version);
    const char *path = path_of(c, "/v1/projects/{project}/endpoints/{1}/deployments", NULL);
    json_t *body = keep(c, json_pack("{s:s}", "version", version_named(c, "models", wanted)));
    const json_t *made = api(c, "POST", path, body);

    if (printed(c, made))
        return DONE;
    say(c, "endpoint %s serves %s: deployment %s", c->args.values[0],
        cell_text(c->arena, json_object_get(made, "version")),
        cell_text(c->arena, json_object_get(made, "id")));
    return DONE;
}
