/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/run.h"

#include "clients/cli/http.h"
#include "clients/cli/print.h"

#include <string.h>

enum { APPROVALS_MAX = 10, HOURS_MAX = 8760 };

int run_project_create(struct cli *c)
{
    struct call call = {.method = "PUT",
                        .path = path_of(c, "/v1/projects/{1}", NULL),
                        .json =
                            keep(c, json_pack("{s:s*}", "description", option(c, "--description"))),
                        .headers = {"If-None-Match: *"}};
    const struct reply *r = http_call(c, &call);

    reply_expect(c, r);
    print_object(c, reply_json(c, r));
    return DONE;
}

static json_t *list_of(const char *text)
{
    json_t *list = json_array();

    while (*text != '\0') {
        size_t length = strcspn(text, ",");

        if (length > 0)
            (void)json_array_append_new(list, json_stringn(text, length));
        text += length + (text[length] == ',' ? 1 : 0);
    }
    return list;
}

static bool set_number(const struct cli *c, json_t *in, const char *member, const char *flag,
                       double most)
{
    json_t *value = option_number(c, flag, 0, most);

    if (value == NULL)
        return false;
    (void)json_object_set_new(in, member, value);
    return true;
}

int run_project_policy(struct cli *c)
{
    const char *path = path_of(c, "/v1/projects/{1}/policy", NULL);
    struct reply *r = http_call(c, &(struct call){.method = "GET", .path = path});
    json_t *policy, *train, *promote;
    const char *aliases = option(c, "--aliases");
    bool changed;

    reply_expect(c, r);
    policy = reply_json(c, r);
    train = json_object_get(policy, "train");
    promote = json_object_get(policy, "promote");
    changed = set_number(c, train, "approvals", "--train-approvals", APPROVALS_MAX);
    changed |= set_number(c, promote, "approvals", "--promote-approvals", APPROVALS_MAX);
    changed |= set_number(c, policy, "approval_hours", "--approval-hours", HOURS_MAX);
    if (aliases != NULL)
        (void)json_object_set_new(promote, "aliases", list_of(aliases));
    if (changed || aliases != NULL) {
        const char *etag = reply_header(r, "etag");
        struct call put = {.method = "PUT", .path = path, .json = policy};

        /* Nobody's change in between is written over. */
        if (etag != NULL)
            put.headers[0] = arena_printf(c->arena, "If-Match: %s", etag);
        r = http_call(c, &put);
        reply_expect(c, r);
        policy = reply_json(c, r);
    }
    print_object(c, policy);
    return DONE;
}
