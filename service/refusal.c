/* SPDX-License-Identifier: Apache-2.0 */
#include "service/refusal.h"

#include "auth/sign_in/page.h"

#include <stdio.h>
#include <string.h>

/* Limits that are left to the database, so that nothing needs to be read before it is changed. */
static const struct {
    const char *constraint;
    const char *target;
    const char *meaning;
} limits[] = {
    {"asset_tags_count", "tags", "tags would have more than 100 members"},
};

void refusal_explain(struct request *rq, enum err e)
{
    const char *constraint = rq->db->constraint;

    for (size_t i = 0; e == ERR_INVALID && rq->detail == NULL && constraint != NULL &&
                       i < sizeof(limits) / sizeof(limits[0]);
         i++)
        if (strcmp(limits[i].constraint, constraint) == 0) {
            rq->target = limits[i].target;
            rq->detail = limits[i].meaning;
        }
}

/* RFC 6749 §5.2; auth's handlers name the other codes as the target. */
static const char *oauth_code(const struct request *rq, enum err e)
{
    if (rq->target != NULL && err_status(e) < 500)
        return rq->target;
    switch (e) {
    case ERR_CREDENTIALS:
    case ERR_TOKEN:
        return "invalid_client";
    case ERR_DENIED:
        return "unauthorized_client";
    case ERR_BUSY:
    case ERR_RATE:
    case ERR_DB_LOST:
    case ERR_UNAVAILABLE:
        return "temporarily_unavailable";
    default:
        return err_status(e) >= 500 ? "server_error" : "invalid_request";
    }
}

/* mlflow/protos/databricks.proto: only names that its clients know. */
static const char *mlflow_code(enum err e)
{
    switch (e) {
    case ERR_TOKEN:
    case ERR_CREDENTIALS:
        return "UNAUTHENTICATED";
    case ERR_DENIED:
    case ERR_FOUR_EYES:
    case ERR_UNAPPROVED:
        return "PERMISSION_DENIED";
    case ERR_NOT_FOUND:
        return "RESOURCE_DOES_NOT_EXIST";
    case ERR_EXISTS:
        return "RESOURCE_ALREADY_EXISTS";
    case ERR_CONFLICT:
        return "RESOURCE_CONFLICT";
    case ERR_RATE:
        return "REQUEST_LIMIT_EXCEEDED";
    case ERR_TIMEOUT:
        return "DEADLINE_EXCEEDED";
    default:
        break;
    }
    if (err_status(e) == 503)
        return "TEMPORARILY_UNAVAILABLE";
    return err_status(e) >= 500 ? "INTERNAL_ERROR" : "INVALID_PARAMETER_VALUE";
}

static bool mlflow_path(const char *path)
{
    return path != NULL && (strncmp(path, "/api/", 5) == 0 || strncmp(path, "/ajax-api/", 10) == 0);
}

static enum dialect dialect_of(const struct request *rq)
{
    if (rq->route != NULL)
        return rq->route->dialect;
    return mlflow_path(rq->path) ? DIALECT_MLFLOW : DIALECT_CHANCERY;
}

/* RFC 7644 §3.12; the target of a malformed request is its scimType. */
static json_t *scim_body(enum err e, const char *type, const char *message)
{
    char status[12];

    (void)snprintf(status, sizeof(status), "%u", err_status(e));
    return json_pack("{s:[s], s:s, s:s*, s:s}", "schemas",
                     "urn:ietf:params:scim:api:messages:2.0:Error", "status", status, "scimType",
                     e == ERR_EXISTS    ? "uniqueness"
                     : e == ERR_INVALID ? type
                                        : NULL,
                     "detail", message);
}

static json_t *body(const struct request *rq, enum err e, const char *message)
{
    const char *target = e == ERR_NOT_FOUND ? NULL : rq->target;
    enum dialect dialect = dialect_of(rq);

    if (dialect == DIALECT_MLFLOW)
        return json_pack("{s:s, s:s}", "error_code", mlflow_code(e), "message", message);
    if (dialect == DIALECT_SCIM)
        return scim_body(e, target, message);
    if (dialect == DIALECT_OAUTH)
        return json_pack("{s:s, s:s}", "error", oauth_code(rq, e), "error_description", message);
    if (dialect == DIALECT_OIP)
        return json_pack("{s:s}", "error", message);
    return json_pack("{s:{s:s, s:s, s:s*, s:[]}}", "error", "code", err_slug(e), "message", message,
                     "target", target, "details");
}

static const char *message_of(const struct request *rq, enum err e)
{
    bool known = rq->route != NULL && rq->route->dialect == DIALECT_MLFLOW;
    bool ours = e == ERR_INTERNAL || (e == ERR_NOT_FOUND && !known);

    return ours || rq->detail == NULL ? err_meaning(e) : rq->detail;
}

static bool has_header(const struct reply *r, const char *name)
{
    for (size_t i = 0; i < r->headers_count; i++)
        if (strcasecmp(r->headers[i].name, name) == 0)
            return true;
    return false;
}

/* To MLflow's clients a name that is taken is a 400, and 5xx means that they shall try again. */
static unsigned status_of(const struct request *rq, enum err e)
{
    if (dialect_of(rq) != DIALECT_MLFLOW)
        return err_status(e);
    return e == ERR_EXISTS || e == ERR_MEDIA_TYPE || e == ERR_CONTENT ? 400 : err_status(e);
}

/* People get a page; a handler may have made a better one already. */
static void reply_page(struct request *rq, enum err e)
{
    const char *type = rq->reply.type;

    if (rq->reply.kind != REPLY_BYTES || type == NULL || strncmp(type, "text/html", 9) != 0)
        page_problem(rq, err_status(e), message_of(rq, e));
    rq->reply.status = err_status(e);
    rq->outcome = e;
}

/* RFC 9110 §11.6.1; RFC 6749 §5.2 for clients; RFC 6750 §3.1, where a token that was shown is
 * refused; RFC 9470 when a second factor is needed, of which auth may have said more. */
static void challenge(struct request *rq, enum err e)
{
    bool client = e == ERR_CREDENTIALS && rq->route != NULL && rq->route->dialect == DIALECT_OAUTH;
    const char *given = request_header(rq, "authorization");
    bool shown = e == ERR_TOKEN && given != NULL && *given != '\0';

    if (e == ERR_TOKEN || e == ERR_CREDENTIALS)
        request_set_header(rq, "WWW-Authenticate",
                           client  ? "Basic realm=\"chancery\""
                           : shown ? "Bearer realm=\"chancery\", error=\"invalid_token\""
                                   : "Bearer realm=\"chancery\"");
    if (e == ERR_STEP_UP && !has_header(&rq->reply, "WWW-Authenticate"))
        request_set_header(rq, "WWW-Authenticate",
                           "Bearer realm=\"chancery\", "
                           "error=\"insufficient_user_authentication\", acr_values=\"mfa\"");
}

static void reply_json(struct request *rq, enum err e)
{
    json_t *json = body(rq, e, message_of(rq, e));

    rq->outcome = e;
    if (json == NULL) /* the detail was not UTF-8 */
        json = body(rq, e, err_meaning(e));
    rq->reply.stream = (struct stream){.next = NULL};
    (void)request_reply_json(rq, json);
    if (rq->route == NULL && e == ERR_NOT_FOUND && dialect_of(rq) == DIALECT_MLFLOW)
        (void)request_reply_bytes(rq, "text/plain; charset=utf-8", "Not Found", 9);
    if (rq->route != NULL && rq->route->dialect == DIALECT_SCIM)
        rq->reply.type = "application/scim+json";
    rq->reply.status = status_of(rq, e);
    challenge(rq, e);
    if (rq->route != NULL && rq->route->dialect == DIALECT_OAUTH)
        request_set_header(rq, "Cache-Control", "no-store");
}

void refusal_reply(struct request *rq, enum err e)
{
    if (rq->route != NULL && rq->route->dialect == DIALECT_PAGE)
        reply_page(rq, e);
    else
        reply_json(rq, e);
    if ((err_status(e) == 503 || e == ERR_RATE) && !has_header(&rq->reply, "Retry-After"))
        request_set_header(rq, "Retry-After", "1");
}
