/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/run.h"

#include "clients/cli/http.h"
#include "clients/cli/print.h"

#include <string.h>

/* Who may what: questions, and what answers them: roles, groups, denies, duties, eligible roles,
 * reviews. A project counts only where it is given on the command line, never the profile's. */

enum { HOURS_MAX = 720, ROLES_MAX = 16 };

/* "a,b" as an array; NULL for an option that is not given. */
static json_t *listed(const struct cli *c, const char *name)
{
    const char *text = option(c, name);
    json_t *list;

    if (text == NULL)
        return NULL;
    list = json_array();
    while (*text != '\0') {
        size_t length = strcspn(text, ",");

        if (length > 0)
            (void)json_array_append_new(list, json_stringn(text, length));
        text += length + (text[length] == ',');
    }
    return list;
}

static void add_text(json_t *body, const char *member, const char *text)
{
    if (text != NULL)
        (void)json_object_set_new(body, member, json_string(text));
}

static void add_list(const struct cli *c, json_t *body, const char *member, const char *name)
{
    json_t *list = listed(c, name);

    if (list != NULL)
        (void)json_object_set_new(body, member, list);
}

static void add_number(const struct cli *c, json_t *body, const char *member, const char *name)
{
    json_t *number = option_number(c, name, 1, HOURS_MAX);

    if (number != NULL)
        (void)json_object_set_new(body, member,
                                  json_integer((json_int_t)json_number_value(number)));
    json_decref(number);
}

/* Where something holds: the asset, the project, or the tenant. */
static void add_place(const struct cli *c, json_t *body)
{
    const char *project = option(c, "--project");
    const char *asset = option(c, "--asset");

    add_text(body, "scope", asset != NULL ? "asset" : project != NULL ? "project" : "tenant");
    add_text(body, "project", project);
    add_text(body, "asset", asset);
}

/* A user or service account, or group:NAME. */
static void add_holder(json_t *body, const char *name)
{
    bool group = strncmp(name, "group:", 6) == 0;

    add_text(body, group ? "group" : "principal", group ? name + 6 : name);
}

static const json_t *ask(struct cli *c, const char *path)
{
    json_t *body = keep(c, json_pack("{s:s}", "action", c->args.values[0]));

    add_text(body, "project", option(c, "--project"));
    add_text(body, "asset", option(c, "--asset"));
    add_text(body, "principal", option(c, "--principal"));
    add_text(body, "purpose", option(c, "--purpose"));
    add_text(body, "network", option(c, "--network"));
    return api(c, "POST", path, body);
}

int run_access_check(struct cli *c)
{
    const json_t *answer = ask(c, "/v1/access/check");

    print_object(c, answer);
    return json_is_true(json_object_get(answer, "allowed")) ? DONE : REFUSED;
}

int run_access_explain(struct cli *c)
{
    const json_t *answer = ask(c, "/v1/access/explain");

    print_object(c, answer);
    return json_is_true(json_object_get(answer, "allowed")) ? DONE : REFUSED;
}

int run_access_who_can(struct cli *c)
{
    const char *path = path_query(c, "/v1/access/who-can", "action", c->args.values[0]);

    path = path_query(c, path, "project", option(c, "--project"));
    path = path_query(c, path, "asset", option(c, "--asset"));
    print_list(c, api_list(c, path, list_limit(c)),
               "PRINCIPAL=principal,KIND=kind,CONDITIONAL=conditional,REASON=reason");
    return DONE;
}

static void print_changes(const struct cli *c, const json_t *answer)
{
    static const char columns[] = "PRINCIPAL=principal,ACTION=action,AT=at";

    print_array(c, "lost", json_object_get(answer, "lost"), columns);
    print_array(c, "gained", json_object_get(answer, "gained"), columns);
    print_array(
        c, "decisions of late that would differ", json_object_get(answer, "replay"),
        "AT=at,PRINCIPAL=principal,ACTION=action,PROJECT=project,WAS=was,WOULD BE=would_be");
}

int run_access_what_if(struct cli *c)
{
    json_t *body = keep(c, json_pack("{s:s}", "change", c->args.values[0]));
    const char *holder = option(c, "--principal");
    const json_t *answer;

    if (holder != NULL)
        add_holder(body, holder);
    add_text(body, "role", option(c, "--role"));
    add_text(body, "binding", option(c, "--binding"));
    add_list(c, body, "actions", "--actions");
    if (strcmp(c->args.values[0], "give") == 0 || strcmp(c->args.values[0], "deny") == 0)
        add_place(c, body);
    add_number(c, body, "replay_days", "--replay-days");
    answer = api(c, "POST", "/v1/access/what-if", body);
    if (c->json)
        print_object(c, answer);
    else
        print_changes(c, answer);
    return DONE;
}

int run_role_create(struct cli *c)
{
    json_t *body = keep(c, json_object());

    add_text(body, "description", option(c, "--description"));
    add_list(c, body, "actions", "--actions");
    add_list(c, body, "not_actions", "--not-actions");
    add_list(c, body, "data_actions", "--data-actions");
    add_list(c, body, "not_data_actions", "--not-data-actions");
    add_list(c, body, "scopes", "--scopes");
    print_object(c, api(c, "PUT", path_of(c, "/v1/roles/{1}", NULL), body));
    return DONE;
}

int run_group_create(struct cli *c)
{
    json_t *body = keep(c, json_pack("{s:s}", "name", c->args.values[0]));

    add_text(body, "display_name", option(c, "--display-name"));
    print_object(c, api(c, "POST", "/v1/groups", body));
    return DONE;
}

int run_group_add(struct cli *c)
{
    json_t *body = keep(c, json_object());

    add_holder(body, c->args.values[1]);
    add_text(body, "valid_until", option(c, "--until"));
    (void)api(c, "POST", path_of(c, "/v1/groups/{1}/members", NULL), body);
    say(c, "%s is in %s", c->args.values[1], c->args.values[0]);
    return DONE;
}

int run_deny_create(struct cli *c)
{
    json_t *body = keep(c, json_object());

    add_list(c, body, "principals", "--principals");
    add_list(c, body, "excluded", "--excluded");
    add_list(c, body, "actions", "--actions");
    add_text(body, "reason", option(c, "--reason"));
    add_text(body, "valid_until", option(c, "--until"));
    add_place(c, body);
    print_object(c, api(c, "POST", "/v1/denies", body));
    return DONE;
}

int run_ceiling_create(struct cli *c)
{
    json_t *body = keep(c, json_pack("{s:s}", "principal", c->args.values[0]));

    add_list(c, body, "actions", "--actions");
    add_place(c, body);
    print_object(c, api(c, "POST", "/v1/ceilings", body));
    return DONE;
}

int run_duty_set(struct cli *c)
{
    json_t *body = keep(c, json_pack("{s:[]}", "roles"));
    json_t *most = option_number(c, "--at-most", 1, ROLES_MAX - 1);

    for (size_t i = 1; i < c->args.count; i++)
        (void)json_array_append_new(json_object_get(body, "roles"), json_string(c->args.values[i]));
    if (most != NULL)
        (void)json_object_set_new(body, "at_most",
                                  json_integer((json_int_t)json_number_value(most)));
    json_decref(most);
    add_text(body, "description", option(c, "--description"));
    if (option(c, "--active-only") != NULL)
        (void)json_object_set_new(body, "active_only", json_true());
    (void)api(c, "PUT", path_of(c, "/v1/duties/{1}", NULL), body);
    say(c, "the duty %s holds", c->args.values[0]);
    return DONE;
}

int run_eligible_grant(struct cli *c)
{
    json_t *body = keep(c, json_pack("{s:s}", "role", c->args.values[1]));

    add_holder(body, c->args.values[0]);
    add_place(c, body);
    add_number(c, body, "max_hours", "--hours");
    add_text(body, "valid_until", option(c, "--until"));
    if (option(c, "--no-approval") != NULL)
        (void)json_object_set_new(body, "approval", json_false());
    if (option(c, "--step-up") != NULL)
        (void)json_object_set_new(body, "step_up", json_true());
    print_object(c, api(c, "POST", "/v1/eligible", body));
    return DONE;
}

int run_eligible_activate(struct cli *c)
{
    json_t *body = keep(c, json_pack("{s:s}", "eligible", c->args.values[0]));

    add_text(body, "justification", option(c, "--reason"));
    add_text(body, "ticket", option(c, "--ticket"));
    add_number(c, body, "hours", "--hours");
    print_object(c, api(c, "POST", "/v1/activations", body));
    return DONE;
}

static int decide(struct cli *c, const char *verdict)
{
    json_t *body = keep(c, json_pack("{s:s}", "verdict", verdict));

    add_text(body, "reason", option(c, "--reason"));
    print_object(c, api(c, "POST", path_of(c, "/v1/activations/{1}/decision", NULL), body));
    return DONE;
}

int run_eligible_approve(struct cli *c)
{
    return decide(c, "approve");
}

int run_eligible_reject(struct cli *c)
{
    return decide(c, "reject");
}

int run_review_start(struct cli *c)
{
    json_t *body = keep(c, json_pack("{s:s}", "name", c->args.values[0]));

    add_list(c, body, "reviewers", "--reviewers");
    add_text(body, "due_at", option(c, "--due"));
    add_text(body, "project", option(c, "--project"));
    print_object(c, api(c, "POST", "/v1/reviews", body));
    return DONE;
}

static int answer_review(struct cli *c, const char *decision)
{
    json_t *body =
        keep(c, json_pack("{s:s, s:s}", "binding", c->args.values[1], "decision", decision));

    add_text(body, "reason", option(c, "--reason"));
    (void)api(c, "POST", path_of(c, "/v1/reviews/{1}/decisions", NULL), body);
    say(c, "%s: %s", c->args.values[1], decision);
    return DONE;
}

int run_review_keep(struct cli *c)
{
    return answer_review(c, "keep");
}

int run_review_remove(struct cli *c)
{
    return answer_review(c, "remove");
}
