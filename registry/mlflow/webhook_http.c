/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/webhook.h"

#include "auth/auth.h"
#include "auth/outbound.h"
#include "lineage/audit.h"
#include "registry/handlers.h"
#include "registry/mlflow/mlflow.h"
#include "registry/reply.h"

#include <ctype.h>
#include <string.h>

enum { USUAL_PAGE = 100, PAGE_LONGEST = 1000, NAME_LONGEST = 63, URL_LONGEST = 2000 };

/* mlflow/entities/webhook.py: what of it happens here; and what a test sends. */
static const struct {
    const char *event;
    const char *example;
} events[] = {
    {"registered_model.created",
     "{\"name\": \"example_model\", \"tags\": {}, \"description\": \"An example\"}"},
    {"model_version.created",
     "{\"name\": \"example_model\", \"version\": \"1\", \"source\": \"models:/123\", \"run_id\": "
     "\"abcd1234abcd5678\", \"tags\": {}, \"description\": \"An example\"}"},
    {"model_version_tag.set", "{\"name\": \"example_model\", \"version\": \"1\", \"key\": "
                              "\"example_key\", \"value\": \"example_value\"}"},
    {"model_version_tag.deleted",
     "{\"name\": \"example_model\", \"version\": \"1\", \"key\": \"example_key\"}"},
    {"model_version_alias.created",
     "{\"name\": \"example_model\", \"alias\": \"example_alias\", \"version\": \"1\"}"},
    {"model_version_alias.deleted", "{\"name\": \"example_model\", \"alias\": \"example_alias\"}"},
    {"prompt.created",
     "{\"name\": \"example_prompt\", \"tags\": {}, \"description\": \"An example\"}"},
    {"prompt_version.created",
     "{\"name\": \"example_prompt\", \"version\": \"1\", \"template\": \"Hello {{name}}!\", "
     "\"tags\": {}, \"description\": \"An example\"}"},
    {"prompt_tag.set",
     "{\"name\": \"example_prompt\", \"key\": \"example_key\", \"value\": \"example_value\"}"},
    {"prompt_tag.deleted", "{\"name\": \"example_prompt\", \"key\": \"example_key\"}"},
    {"prompt_version_tag.set", "{\"name\": \"example_prompt\", \"version\": \"1\", \"key\": "
                               "\"example_key\", \"value\": \"example_value\"}"},
    {"prompt_version_tag.deleted",
     "{\"name\": \"example_prompt\", \"version\": \"1\", \"key\": \"example_key\"}"},
    {"prompt_alias.created",
     "{\"name\": \"example_prompt\", \"alias\": \"example_alias\", \"version\": \"1\"}"},
    {"prompt_alias.deleted", "{\"name\": \"example_prompt\", \"alias\": \"example_alias\"}"},
};

static const char *example_of(const char *event)
{
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
        if (strcmp(events[i].event, event) == 0)
            return events[i].example;
    return NULL;
}

bool webhook_event_known(const char *event)
{
    return example_of(event) != NULL;
}

/* {"entity":"MODEL_VERSION","action":"CREATED"} as "model_version.created". */
static enum err read_event(struct request *rq, const json_t *item, const char **out)
{
    const char *entity = mlflow_member(item, "entity");
    const char *action = mlflow_member(item, "action");
    char *event = arena_printf(rq->arena, "%.40s.%.20s", entity == NULL ? "" : entity,
                               action == NULL ? "" : action);

    for (char *c = event; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    *out = event;
    return webhook_event_known(event) ? OK : mlflow_invalid(rq, "events", event);
}

static enum err read_events(struct request *rq, struct texts *out)
{
    const json_t *list, *item;
    size_t i;

    TRY(mlflow_list(rq, "events", WEBHOOK_EVENTS_MAX, &list));
    if (json_array_size(list) == 0)
        return OK;
    *out = (struct texts){.items = arena_alloc(rq->arena, WEBHOOK_EVENTS_MAX * sizeof(char *))};
    json_array_foreach(list, i, item) TRY(read_event(rq, item, &out->items[out->count++]));
    return OK;
}

static bool name_good(const char *name)
{
    size_t length = strlen(name);

    for (const char *c = name; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && strchr("._-", *c) == NULL)
            return false;
    return length > 0 && length <= NAME_LONGEST && isalnum((unsigned char)name[0]) &&
           isalnum((unsigned char)name[length - 1]);
}

/* What the body says over what w has: nothing that is not said changes. */
static enum err read_webhook(struct request *rq, struct webhook *w)
{
    const char *name, *url, *description, *status, *secret;
    const char *why;

    TRY(mlflow_text(rq, "name", NAME_LONGEST, &name));
    TRY(mlflow_text(rq, "url", URL_LONGEST, &url));
    TRY(mlflow_text(rq, "description", 2000, &description));
    TRY(mlflow_text(rq, "status", 10, &status));
    TRY(mlflow_text(rq, "secret", WEBHOOK_SECRET_MAX, &secret));
    TRY(read_events(rq, &w->events));
    w->name = name == NULL ? w->name : name;
    w->url = url == NULL ? w->url : url;
    w->description = description == NULL ? w->description : description;
    w->status = status == NULL ? w->status : status;
    if (w->name == NULL || !name_good(w->name))
        return mlflow_invalid(rq, "name", w->name == NULL ? "of nothing" : w->name);
    if (w->url == NULL)
        return mlflow_missing(rq, "url");
    if (outbound_judge(rq->arena, w->url, &why) != OK) {
        rq->target = "url";
        return fail(rq, ERR_INVALID, "Invalid webhook URL: %s", why);
    }
    if (strcmp(w->status, "ACTIVE") != 0 && strcmp(w->status, "DISABLED") != 0)
        return mlflow_invalid(rq, "status", w->status);
    if (w->events.count == 0)
        return mlflow_missing(rq, "events");
    return secret == NULL
               ? OK
               : webhook_seal(rq->arena, rq->caller.tenant_id, w->id, secret, &w->sealed);
}

static enum err absent(struct request *rq, enum err e, const char *id)
{
    if (e != ERR_NOT_FOUND)
        return e;
    return fail(rq, e, "Webhook with ID %s not found", mlflow_cut(rq->arena, id, 100));
}

static enum err reply_webhook(struct request *rq, const char *id)
{
    const char *json;

    request_object(rq, "webhooks/%s", id);
    TRY(absent(rq, webhook_show(rq->db, auth_project_id(rq), id, &json), id));
    return mlflow_reply(rq, json);
}

static enum err note_before(struct request *rq)
{
    const char *json;

    TRY(absent(rq, webhook_show(rq->db, auth_project_id(rq), rq->args[0], &json), rq->args[0]));
    audit_before_text(rq, json);
    return OK;
}

/* POST …/webhooks */
enum err post_mlflow_webhook(struct request *rq)
{
    struct webhook w = {.description = "", .status = "ACTIVE"};
    char id[ID_SIZE];
    enum err e;

    id_new(id);
    w.id = id;
    TRY(read_webhook(rq, &w));
    e = webhook_create(rq->db, auth_project_id(rq), &w, rq->caller.id);
    if (e == ERR_EXISTS)
        return fail(rq, e, "Webhook (name=%s) already exists.", w.name);
    TRY(e);
    return reply_webhook(rq, arena_text(rq->arena, id));
}

/* GET …/webhooks/{webhook} */
enum err get_mlflow_webhook(struct request *rq)
{
    return reply_webhook(rq, rq->args[0]);
}

/* GET …/webhooks */
enum err get_mlflow_webhooks(struct request *rq)
{
    int64_t limit = USUAL_PAGE;
    int64_t offset = 0;
    const char *json;

    TRY(mlflow_int(rq, "max_results", 1, PAGE_LONGEST, &limit));
    TRY(mlflow_offset(rq, &offset));
    TRY(webhook_list(rq->db, auth_project_id(rq), limit, offset, &json));
    return mlflow_reply(rq, json);
}

/* PATCH …/webhooks/{webhook} */
enum err patch_mlflow_webhook(struct request *rq)
{
    struct webhook w;

    request_object(rq, "webhooks/%s", rq->args[0]);
    TRY(absent(rq, webhook_find(rq->db, auth_project_id(rq), rq->args[0], &w), rq->args[0]));
    TRY(read_webhook(rq, &w));
    TRY(note_before(rq));
    TRY(webhook_update(rq->db, &w));
    return reply_webhook(rq, w.id);
}

/* DELETE …/webhooks/{webhook} */
enum err delete_mlflow_webhook(struct request *rq)
{
    request_object(rq, "webhooks/%s", rq->args[0]);
    TRY(note_before(rq));
    TRY(absent(rq, webhook_delete(rq->db, auth_project_id(rq), rq->args[0]), rq->args[0]));
    return mlflow_reply_empty(rq);
}

/* The event of the body, else the first that it is told of. */
static enum err event_of(struct request *rq, const struct webhook *w, const char **event)
{
    const json_t *asked = json_object_get(rq->body, "event");

    *event = w->events.items[0];
    return json_object_size(asked) == 0 ? OK : read_event(rq, asked, event);
}

/* POST …/webhooks/{webhook}/test: an example, sent at once. */
enum err post_mlflow_webhook_test(struct request *rq)
{
    struct webhook_due d = {.project = rq->project};
    struct webhook_answer answer;
    struct webhook w;
    char id[ID_SIZE];
    enum err e;

    request_object(rq, "webhooks/%s", rq->args[0]);
    TRY(absent(rq, webhook_find(rq->db, auth_project_id(rq), rq->args[0], &w), rq->args[0]));
    TRY(event_of(rq, &w, &d.event));
    id_new(id);
    d.delivery = id;
    d.webhook = w.id;
    d.payload = example_of(d.event);
    d.url = w.url;
    d.sealed = w.sealed;
    e = webhook_send(rq->arena, rq->caller.tenant_id, &d, &answer);
    if (e != OK)
        return request_reply_json(
            rq, json_pack("{s:{s:b, s:s}}", "result", "success", 0, "error_message",
                          arena_printf(rq->arena, "Failed to test webhook: %s", answer.why)));
    return request_reply_json(
        rq, json_pack("{s:{s:b, s:i, s:s*}}", "result", "success", answer.status < 400,
                      "response_status", (int)answer.status, "response_body",
                      utf8_valid(answer.body, strlen(answer.body)) ? answer.body : NULL));
}

/* GET /v1/projects/{project}/webhooks/{webhook}/deliveries */
enum err get_webhook_deliveries(struct request *rq)
{
    struct webhook w;
    struct page page;
    struct rows rows;
    int64_t before;

    TRY(page_read(rq, &page));
    TRY(page_number(rq, &page, INT64_MAX, &before));
    TRY(webhook_find(rq->db, auth_project_id(rq), rq->args[1], &w));
    TRY(webhook_deliveries(rq->db, auth_project_id(rq), w.id, before, page.limit + 1, &rows));
    return page_reply_numbered(rq, &page, webhook_delivery_fields, sizeof(struct webhook_delivery),
                               &rows, offsetof(struct webhook_delivery, seq));
}
