/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/run.h"

#include "clients/cli/asset.h"
#include "clients/cli/http.h"
#include "clients/cli/print.h"
#include "clients/cli/table.h"

#include <string.h>

enum { INBOX_MAX = 10000 };

static const char columns[] = "ID=id,PROJECT=project,ACTION=action,SUBJECT=subject,ALIAS=alias,"
                              "STATE=state,BY=requested_by,EXPIRES=expires_at";

int run_approve_list(struct cli *c)
{
    const char *state = option(c, "--state");
    const char *path = option(c, "--project") == NULL
                           ? "/v1/approvals"
                           : path_of(c, "/v1/projects/{project}/approvals", NULL);

    path = path_query(c, path, "state", state == NULL ? "pending" : state);
    print_list(c, api_list(c, path, list_limit(c)), columns);
    return DONE;
}

/* The request is in the project in hand, or in the inbox of all projects. */
static const char *approval_path(struct cli *c, const char *id)
{
    const json_t *list, *one;
    const char *path;
    size_t i;

    if (c->profile.project != NULL) {
        path = path_of(c, "/v1/projects/{project}/approvals/{}", id, NULL);
        if (option(c, "--project") != NULL ||
            http_call(c, &(struct call){.method = "GET", .path = path})->status != 404)
            return path;
    }
    list = api_list(c, "/v1/approvals", INBOX_MAX);
    json_array_foreach(json_object_get(list, "value"), i, one)
    {
        const char *found = json_string_value(json_object_get(one, "id"));
        const char *project = json_string_value(json_object_get(one, "project"));

        if (found != NULL && project != NULL && strcmp(found, id) == 0)
            return path_of(c, "/v1/projects/{}/approvals/{}", project, id, NULL);
    }
    die(REFUSED, "not-found: there is no such request in your projects");
}

/* Without the members that are long and are told in another way, or not at all. */
static void print_part(const struct cli *c, const char *heading, const json_t *object)
{
    json_t *brief;

    if (json_object_size(object) == 0)
        return;
    brief = keep(c, json_copy((json_t *)object));
    (void)json_object_del(brief, "manifest");
    (void)json_object_del(brief, "columns");
    say(c, "\n%s", heading);
    print_object(c, brief);
}

/* "metric  from  to  change" */
static void print_diff(const struct cli *c, const json_t *metrics)
{
    json_t *rows = keep(c, json_array());
    const json_t *value;
    const char *name;

    json_object_foreach((json_t *)metrics, name, value)
    {
        json_t *row = json_copy((json_t *)value);

        (void)json_object_set_new(row, "metric", json_string(name));
        (void)json_array_append_new(rows, row);
    }
    print_array(c, "\ncompared with what is in force", rows,
                "METRIC=metric,FROM=from>,TO=to>,CHANGE=change>");
}

static void print_evidence(const struct cli *c, const json_t *evidence)
{
    const json_t *lineage = json_object_get(evidence, "lineage");

    print_part(c, "what is to be run", json_object_get(evidence, "spec"));
    print_part(c, "data", json_object_get(evidence, "dataset"));
    print_schema(c, member_at(evidence, "dataset.columns"));
    print_part(c, "version", json_object_get(evidence, "version"));
    print_part(c, "training", json_object_get(evidence, "training"));
    print_part(c, "metrics", json_object_get(evidence, "metrics"));
    print_array(c, "\nmade from", json_object_get(lineage, "upstream"),
                "NODE=name,KIND=kind,DIGEST=digest");
    print_part(c, "in force now", json_object_get(evidence, "current"));
    print_diff(c, member_at(evidence, "diff.metrics"));
    print_part(c, "features", member_at(evidence, "diff.features"));
    print_part(c, "policy", json_object_get(evidence, "policy"));
}

int run_approve_show(struct cli *c)
{
    const json_t *approval = api(c, "GET", approval_path(c, c->args.values[0]), NULL);
    json_t *brief;

    if (printed(c, approval))
        return DONE;
    brief = keep(c, json_copy((json_t *)approval));
    (void)json_object_del(brief, "evidence");
    print_object(c, brief);
    print_evidence(c, json_object_get(approval, "evidence"));
    return DONE;
}

static const char *reason_of(const struct cli *c)
{
    const char *reason = option(c, "--reason");

    if (reason == NULL || *reason == '\0')
        die(USAGE, "usage: give --reason TEXT; it goes into the audit log");
    return reason;
}

static void print_outcome(const struct cli *c, const json_t *approval)
{
    const json_t *decisions = json_object_get(approval, "decisions");

    if (printed(c, approval))
        return;
    say(c, "%s of %s is %s", cell_text(c->arena, json_object_get(approval, "action")),
        cell_text(c->arena, json_object_get(approval, "subject")),
        cell_text(c->arena, json_object_get(approval, "state")));
    print_array(c, NULL, decisions, "BY=by,VERDICT=verdict,REASON=reason,AT=at");
}

/* The verdict names the evidence that it is about, so that it cannot count for anything else. */
static int decide(struct cli *c, const char *verdict)
{
    const char *path = approval_path(c, c->args.values[0]);
    const char *reason = reason_of(c);
    const json_t *seen = api(c, "GET", path, NULL);
    json_t *body = keep(c, json_pack("{s:s, s:s, s:s*}", "verdict", verdict, "reason", reason,
                                     "evidence_digest",
                                     json_string_value(json_object_get(seen, "evidence_digest"))));

    print_outcome(c, api(c, "POST", arena_printf(c->arena, "%s/decision", path), body));
    return DONE;
}

int run_approve_accept(struct cli *c)
{
    return decide(c, "approve");
}

int run_approve_reject(struct cli *c)
{
    return decide(c, "reject");
}

int run_approve_revoke(struct cli *c)
{
    const char *path = approval_path(c, c->args.values[0]);
    json_t *body = keep(c, json_pack("{s:s}", "reason", reason_of(c)));

    print_outcome(c, api(c, "POST", arena_printf(c->arena, "%s/revoke", path), body));
    return DONE;
}

int run_model_promote(struct cli *c)
{
    const char *subject =
        arena_printf(c->arena, "models/%s/versions/%s", c->args.values[0], c->args.values[1]);
    const char *alias = option(c, "--alias");
    json_t *body =
        keep(c, json_pack("{s:s, s:s, s:s, s:s*}", "action", "promote", "subject", subject, "alias",
                          alias == NULL ? "production" : alias, "reason", option(c, "--reason")));
    const json_t *approval =
        api(c, "POST", path_of(c, "/v1/projects/{project}/approvals", NULL), body);

    if (printed(c, approval))
        return DONE;
    say(c, "request %s waits for %lld approval(s)",
        cell_text(c->arena, json_object_get(approval, "id")),
        (long long)json_integer_value(json_object_get(approval, "required")));
    return DONE;
}

int run_model_alias(struct cli *c)
{
    uint64_t version;
    json_t *body;

    if (!uint_parse(c->args.values[2], INT32_MAX, &version))
        die(USAGE, "usage: %s is not the number of a version", c->args.values[2]);
    body = keep(c, json_pack("{s:I}", "version", (json_int_t)version));
    print_object(
        c, api(c, "PUT", path_of(c, "/v1/projects/{project}/models/{1}/aliases/{2}", NULL), body));
    return DONE;
}
