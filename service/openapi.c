/* SPDX-License-Identifier: Apache-2.0 */
#include "service/openapi.h"

#include "auth/access/action.h"
#include "core/route.h"
#include "service/version.h"

#include <string.h>

/* "{file+}" and "{namespace%}" are ours; OpenAPI knows only "{file}". */
static json_t *path_text(const char *path)
{
    struct text t = text_new(512);
    json_t *text;

    for (const char *c = path; *c != '\0'; c++)
        if ((*c != '+' && *c != '%') || c[1] != '}')
            text_add(&t, c, 1);
    text = json_string(t.data);
    text_free(&t);
    return text;
}

static json_t *path_parameters(const char *path)
{
    json_t *list = json_array();

    for (const char *open = strchr(path, '{'); open != NULL; open = strchr(open + 1, '{')) {
        size_t length = strcspn(open + 1, "%+}");

        json_array_append_new(list,
                              json_pack("{s:s%, s:s, s:b, s:{s:s}}", "name", open + 1, length, "in",
                                        "path", "required", 1, "schema", "type", "string"));
    }
    return list;
}

static json_t *request_body(const struct field *body)
{
    const char *type = "application/octet-stream";
    json_t *schema;

    if (body == no_body)
        return NULL;
    if (body_streamed(body) || body == raw_body) {
        schema = json_pack("{s:s, s:s}", "type", "string", "format", "binary");
    } else {
        type = "application/json";
        schema = field_schema(body);
    }
    return json_pack("{s:b, s:{s:{s:o}}}", "required", 1, "content", type, "schema", schema);
}

static json_t *security(const struct route *r)
{
    return r->action == PUBLIC ? json_array() : json_pack("[{s:[]}]", "bearer");
}

static json_t *operation(const struct route *r)
{
    static const char *const failure = "#/components/responses/error";

    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o*, s:{s:{s:s}, s:{s:s}}}", "operationId",
                     r->name, "summary", r->help, "x-chancery-action", action_text(r->action),
                     "x-chancery-audit", r->audit == AUDIT_NONE ? "none" : "recorded", "security",
                     security(r), "parameters", path_parameters(r->path), "requestBody",
                     request_body(r->body), "responses", "2XX", "description", "done", "default",
                     "$ref", failure);
}

static json_t *lower_case(const char *method)
{
    char name[16] = "";

    for (size_t i = 0; method[i] != '\0' && i + 1 < sizeof(name); i++)
        name[i] = (char)(method[i] | 0x20);
    return json_string(name);
}

static json_t *paths(void)
{
    json_t *all = json_object();

    for (unsigned i = 0; i < routes_count; i++) {
        json_t *path = path_text(routes[i].path);
        json_t *method = lower_case(routes[i].method);
        json_t *entry = json_object_get(all, json_string_value(path));

        if (entry == NULL) {
            entry = json_object();
            json_object_set_new(all, json_string_value(path), entry);
        }
        json_object_set_new(entry, json_string_value(method), operation(&routes[i]));
        json_decref(path);
        json_decref(method);
    }
    return all;
}

static json_t *error_response(void)
{
    return json_pack("{s:s, s:{s:{s:{s:s, s:{s:{s:s, s:{s:{s:s}, s:{s:s}, s:{s:s}}}}}}}}",
                     "description", "The request was refused; the code is stable.", "content",
                     "application/json", "schema", "type", "object", "properties", "error", "type",
                     "object", "properties", "code", "type", "string", "message", "type", "string",
                     "target", "type", "string");
}

json_t *openapi_document(void)
{
    return json_pack("{s:s, s:{s:s, s:s, s:s}, s:o, s:{s:{s:{s:s, s:s}}, s:{s:o}}}", "openapi",
                     "3.1.0", "info", "title", "Chancery", "version", CHANCERY_VERSION,
                     "description", "Governance and registry for machine-learning teams.", "paths",
                     paths(), "components", "securitySchemes", "bearer", "type", "http", "scheme",
                     "bearer", "responses", "error", error_response());
}
