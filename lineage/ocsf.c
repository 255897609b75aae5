/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/ocsf.h"

#include <string.h>

enum { CLASS_API_ACTIVITY = 6003, CATEGORY_APPLICATION = 6 };

/* activity_id of the class: Create, Read, Update, Delete, Other. */
static int activity(const char *method)
{
    static const char *const methods[] = {"POST", "GET", "PUT", "DELETE", "PATCH"};
    static const int ids[] = {1, 2, 3, 4, 3};

    for (size_t i = 0; method != NULL && i < sizeof(methods) / sizeof(methods[0]); i++)
        if (strcmp(method, methods[i]) == 0)
            return ids[i];
    return 99;
}

static json_t *metadata(const struct audit_view *v, const char *tenant_id, int64_t index,
                        const char *version)
{
    return json_pack("{s:s, s:s, s:s, s:I, s:s, s:{s:s, s:s, s:s}}", "version", "1.3.0", "uid",
                     v->id, "log_name", "audit", "sequence", (json_int_t)index, "tenant_uid",
                     tenant_id, "product", "name", "Chancery", "vendor_name", "Chancery", "version",
                     version);
}

static const char *or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

json_t *ocsf_event(const struct audit_view *v, const char *tenant_id, int64_t index,
                   const char *version)
{
    bool ok = v->outcome != NULL && strcmp(v->outcome, "ok") == 0;
    int act = activity(v->method);
    int64_t ms = 0;
    json_t *event;

    (void)time_parse(or_empty(v->at), &ms);
    event = json_pack("{s:i, s:i, s:i, s:i, s:i, s:I, s:i, s:s}", "class_uid", CLASS_API_ACTIVITY,
                      "category_uid", CATEGORY_APPLICATION, "activity_id", act, "type_uid",
                      CLASS_API_ACTIVITY * 100 + act, "severity_id", ok ? 1 : 2, "time",
                      (json_int_t)ms, "status_id", ok ? 1 : 2, "status_code", or_empty(v->outcome));
    json_object_set_new(event, "metadata", metadata(v, tenant_id, index, version));
    json_object_set_new(event, "actor",
                        json_pack("{s:{s:s, s:s}}", "user", "uid", or_empty(v->actor), "name",
                                  or_empty(v->actor_name)));
    json_object_set_new(event, "api",
                        json_pack("{s:s, s:{s:s}, s:{s:I}}", "operation", or_empty(v->action),
                                  "request", "uid", or_empty(v->request), "response", "code",
                                  (json_int_t)v->status));
    json_object_set_new(event, "http_request",
                        json_pack("{s:s}", "http_method", or_empty(v->method)));
    json_object_set_new(
        event, "src_endpoint",
        json_pack("{s:s}", "ip",
                  or_empty(json_string_value(json_object_get(v->detail, "remote")))));
    json_object_set_new(
        event, "resources",
        json_pack("[{s:s, s:s}]", "name", or_empty(v->object), "namespace", or_empty(v->project)));
    json_object_set_new(
        event, "unmapped",
        json_pack("{s:s, s:O?}", "leaf_hash", or_empty(v->leaf_hash), "detail", v->detail));
    return event;
}
