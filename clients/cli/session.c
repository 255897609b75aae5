/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/run.h"

#include "clients/cli/http.h"
#include "clients/cli/print.h"
#include "clients/cli/secret.h"

#include <stdio.h>
#include <string.h>

enum { CODE_MAX = 4096 };

/* A new session must not speak with the old one's token. */
static void signed_in(struct cli *c, const char *tenant, const char *user, const json_t *answer)
{
    const char *token = json_string_value(json_object_get(answer, "access_token"));

    if (token == NULL)
        die(FAILED, "the service answered without an access_token");
    c->profile.tenant = tenant;
    c->profile.user = user;
    c->profile.token = token;
    profile_save(c);
    if (c->json)
        print_json(answer);
    say(c, "signed in as %s of %s at %s", user, tenant, c->profile.url);
}

/* A personal access token says itself whose it is. */
static int login_token(struct cli *c)
{
    const json_t *me;

    c->profile.token = secret_line(c);
    me = api(c, "GET", "/v1/me", NULL);
    c->profile.tenant = json_string_value(json_object_get(me, "tenant"));
    c->profile.user = json_string_value(json_object_get(me, "name"));
    profile_save(c);
    if (!printed(c, me))
        say(c, "signed in as %s of %s", c->profile.user, c->profile.tenant);
    return DONE;
}

int run_login(struct cli *c)
{
    const char *tenant = option(c, "--tenant");
    const char *user = option(c, "--user");
    json_t *body;

    if (option(c, "--token-stdin") != NULL)
        return login_token(c);
    tenant = tenant != NULL ? tenant : c->profile.tenant;
    user = user != NULL ? user : c->profile.user;
    if (tenant == NULL || user == NULL)
        die(USAGE, "usage: login needs --tenant and --user the first time");
    body = keep(c, json_pack("{s:s, s:s, s:s}", "tenant", tenant, "user", user, "password",
                             secret_password(c, "CHANCERY_PASSWORD",
                                             arena_printf(c->arena, "password of %s", user))));
    c->profile.token = NULL;
    signed_in(c, tenant, user, api(c, "POST", "/v1/login", body));
    return DONE;
}

int run_logout(struct cli *c)
{
    c->profile.token = NULL;
    profile_save(c);
    say(c, "signed out; the token itself ends when it expires");
    return DONE;
}

static const char *bootstrap_code(const struct cli *c)
{
    const char *path = option(c, "--code-file");
    size_t length;
    char *code;

    if (path == NULL)
        die(USAGE, "usage: bootstrap needs --code-file FILE (\"-\" for standard input)");
    code = file_read(c, path, CODE_MAX, &length);
    code[strcspn(code, "\r\n")] = '\0';
    return code;
}

int run_bootstrap(struct cli *c)
{
    const char *tenant = option(c, "--tenant");
    const char *user = option(c, "--user");
    const char *code = bootstrap_code(c);
    const char *password;
    json_t *body;

    if (tenant == NULL || user == NULL)
        die(USAGE, "usage: bootstrap needs --tenant and --user, which it makes");
    password = secret_new(c, "CHANCERY_PASSWORD", "new password");
    body = keep(c, json_pack("{s:s, s:s, s:s, s:s}", "code", code, "tenant", tenant, "user", user,
                             "password", password));

    c->profile.token = NULL;
    signed_in(c, tenant, user, api(c, "POST", "/v1/bootstrap", body));
    return DONE;
}

int run_project_use(struct cli *c)
{
    const char *name = c->args.values[0];

    (void)api(c, "GET", path_of(c, "/v1/projects/{}", name, NULL), NULL);
    c->profile.project = name;
    profile_save(c);
    say(c, "project %s is now the profile's default", name);
    return DONE;
}
