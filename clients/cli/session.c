/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/run.h"

#include "clients/cli/http.h"
#include "clients/cli/print.h"
#include "clients/cli/secret.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

static struct reply *post_form(struct cli *c, const char *path, const char *form)
{
    return http_call(c, &(struct call){.method = "POST", .path = path, .form = form});
}

/* How long to wait before the next try; 0: done. Dies when there is no hope. */
static int64_t poll_after(const struct cli *c, const struct reply *r, int64_t interval)
{
    const char *error;

    if (r->problem != NULL || (r->status / 100 != 2 && r->status != 400))
        reply_expect(c, r);
    if (r->status / 100 == 2)
        return 0;
    error = json_string_value(json_object_get(reply_json(c, r), "error"));
    if (error != NULL && strcmp(error, "slow_down") == 0)
        return interval + 5;
    if (error == NULL || strcmp(error, "authorization_pending") != 0)
        die(FAILED, "nobody signed in: %s", error == NULL ? "the answer says no more" : error);
    return interval;
}

/* RFC 8628: somebody says yes in a browser, which may be on another machine. */
static int login_device(struct cli *c, const char *tenant)
{
    const json_t *begun;
    struct reply *r;
    int64_t wait;

    c->profile.token = NULL;
    r = post_form(c, "/oauth2/device_authorization",
                  path_of(c, "client_id={}%2Fchancery-cli&scope=chancery", tenant, NULL));
    reply_expect(c, r);
    begun = reply_json(c, r);
    wait = json_integer_value(json_object_get(begun, "interval"));
    say(c, "open %s and confirm the code %s",
        json_string_value(json_object_get(begun, "verification_uri")),
        json_string_value(json_object_get(begun, "user_code")));
    while (wait > 0) {
        (void)sleep((unsigned)wait); /* NOLINT(concurrency-mt-unsafe): there is one thread */
        r = post_form(c, "/oauth2/token",
                      path_of(c,
                              "grant_type=urn:ietf:params:oauth:grant-type:device_code&client_id={}"
                              "%2Fchancery-cli&device_code={}",
                              tenant, json_string_value(json_object_get(begun, "device_code")),
                              NULL));
        wait = poll_after(c, r, wait);
    }
    c->profile.token = json_string_value(json_object_get(reply_json(c, r), "access_token"));
    signed_in(c, tenant, json_string_value(json_object_get(api(c, "GET", "/v1/me", NULL), "name")),
              reply_json(c, r));
    return DONE;
}

/* Whoever signed in from here before is not kept waiting by guesses of strangers. */
static const json_t *login_password(struct cli *c, const json_t *body)
{
    const char *known = c->profile.known;
    const char *cookie = known == NULL ? NULL : arena_printf(c->arena, "Cookie: %s", known);
    struct reply *r = http_call(
        c,
        &(struct call){.method = "POST", .path = "/v1/login", .json = body, .headers = {cookie}});

    reply_expect(c, r);
    cookie = reply_header(r, "set-cookie");
    if (cookie != NULL)
        c->profile.known = arena_copy(c->arena, cookie, strcspn(cookie, ";"));
    return reply_json(c, r);
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
    if (tenant == NULL)
        die(USAGE, "usage: login needs --tenant the first time, and --user or a browser");
    if (user == NULL || option(c, "--device") != NULL)
        return login_device(c, tenant);
    body = keep(c, json_pack("{s:s, s:s, s:s}", "tenant", tenant, "user", user, "password",
                             secret_password(c, "CHANCERY_PASSWORD",
                                             arena_printf(c->arena, "password of %s", user))));
    c->profile.token = NULL;
    signed_in(c, tenant, user, login_password(c, body));
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
