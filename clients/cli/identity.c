/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/run.h"

#include "clients/cli/http.h"
#include "clients/cli/print.h"
#include "clients/cli/secret.h"

#include <string.h>

enum { DAY_SECONDS = 86400, DAYS_MAX = 365 };

int run_tenant_create(struct cli *c)
{
    json_t *body = keep(c, json_pack("{s:s}", "name", c->args.values[0]));
    const json_t *made = api(c, "POST", "/v1/tenants", body);

    print_object(c, made);
    say(c,
        "its first administrator signs up with: chancery bootstrap --tenant %s --user USER "
        "--code-file FILE",
        c->args.values[0]);
    return DONE;
}

int run_user_create(struct cli *c)
{
    const char *password = NULL;
    json_t *body;

    if (option(c, "--no-password") == NULL)
        password = secret_new(c, "CHANCERY_NEW_PASSWORD", "password of the new user");
    body = keep(c, json_pack("{s:s, s:s*, s:s*, s:s*}", "name", c->args.values[0], "display_name",
                             option(c, "--display-name"), "email", option(c, "--email"), "password",
                             password));
    print_object(c, api(c, "POST", "/v1/users", body));
    return DONE;
}

static int set_state(struct cli *c, const char *state)
{
    const char *path = path_of(c, "/v1/users/{1}", NULL);

    print_object(c, api(c, "PATCH", path, keep(c, json_pack("{s:s}", "state", state))));
    return DONE;
}

int run_user_disable(struct cli *c)
{
    return set_state(c, "disabled");
}

int run_user_enable(struct cli *c)
{
    return set_state(c, "active");
}

int run_user_password(struct cli *c)
{
    json_t *body;

    if (c->args.count > 0) {
        body = keep(c, json_pack("{s:s}", "password",
                                 secret_new(c, "CHANCERY_NEW_PASSWORD", "new password")));
        (void)api(c, "PATCH", path_of(c, "/v1/users/{1}", NULL), body);
    } else {
        const char *current = secret_password(c, "CHANCERY_PASSWORD", "present password");

        body = keep(c, json_pack("{s:s, s:s}", "current", current, "new",
                                 secret_new(c, "CHANCERY_NEW_PASSWORD", "new password")));
        (void)api(c, "POST", "/v1/me/password", body);
    }
    say(c, "the password is changed");
    return DONE;
}

int run_account_create(struct cli *c)
{
    json_t *body = keep(c, json_pack("{s:s, s:s*, s:s*}", "name", c->args.values[0], "display_name",
                                     option(c, "--display-name"), "owner", option(c, "--owner")));

    print_object(c, api(c, "POST", "/v1/service-accounts", body));
    return DONE;
}

int run_token_create(struct cli *c)
{
    json_t *days = option_number(c, "--days", 1, DAYS_MAX);
    json_t *body = keep(c, json_pack("{s:s, s:s*}", "name", c->args.values[0], "service_account",
                                     option(c, "--service-account")));
    const json_t *made;

    if (days != NULL)
        (void)json_object_set_new(
            body, "expires_in", json_integer((json_int_t)(json_number_value(days) * DAY_SECONDS)));
    json_decref(days);
    made = api(c, "POST", "/v1/tokens", body);
    if (c->quiet && !c->json)
        made = keep(c, json_pack("{s:O}", "id", json_object_get(made, "token"))); /* for scripts */
    print_object(c, made);
    say(c, "keep the token now: it is not shown again");
    return DONE;
}

/* Where a role is meant: only a --project given on the command line, never the profile's. */
static json_t *scope_of(const struct cli *c)
{
    const char *project = option(c, "--project");
    const char *scope = option(c, "--platform") != NULL ? "platform"
                        : project != NULL               ? "project"
                                                        : "tenant";

    return keep(c, json_pack("{s:s, s:s, s:s, s:s*}", "principal", c->args.values[0], "role",
                             c->args.values[1], "scope", scope, "project", project));
}

int run_role_grant(struct cli *c)
{
    json_t *body = scope_of(c);
    const char *until = option(c, "--until");

    if (until != NULL)
        (void)json_object_set_new(body, "valid_until", json_string(until));
    print_object(c, api(c, "POST", "/v1/bindings", body));
    return DONE;
}

static bool same(const json_t *a, const json_t *b, const char *member)
{
    const json_t *left = json_object_get(a, member);
    const json_t *right = json_object_get(b, member);

    if (left == NULL || right == NULL)
        return (left == NULL || json_is_null(left)) && (right == NULL || json_is_null(right));
    return json_equal(left, right);
}

int run_role_revoke(struct cli *c)
{
    const json_t *wanted = scope_of(c);
    const char *path = path_query(c, "/v1/bindings", "principal", c->args.values[0]);
    const json_t *list = api_list(c, path, 1000);
    const json_t *binding;
    size_t i, ended = 0;

    json_array_foreach(json_object_get(list, "value"), i, binding)
    {
        const char *id = json_string_value(json_object_get(binding, "id"));

        if (id == NULL || !same(wanted, binding, "role") || !same(wanted, binding, "scope") ||
            !same(wanted, binding, "project"))
            continue;
        (void)api(c, "DELETE", path_of(c, "/v1/bindings/{}", id, NULL), NULL);
        ended++;
    }
    if (ended == 0)
        die(REFUSED, "not-found: %s does not have the role %s there", c->args.values[0],
            c->args.values[1]);
    say(c, "%s no longer has the role %s there", c->args.values[0], c->args.values[1]);
    return DONE;
}
