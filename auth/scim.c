/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/scim.h"

#include "auth/access_jwt.h"
#include "auth/handlers.h"

#include <ctype.h>
#include <string.h>

enum { STEM_MAX = 40, TAG_BYTES = 4 };

static void release_json(void *json)
{
    json_decref(json);
}

void scim_type(struct request *rq, const char *type)
{
    rq->target = type;
}

enum err scim_body(struct request *rq, json_t **out)
{
    const char *type = request_header(rq, "content-type");
    json_error_t error;

    if (type != NULL && strncasecmp(type, "application/scim+json", 21) != 0 &&
        strncasecmp(type, "application/json", 16) != 0)
        return fail(rq, ERR_MEDIA_TYPE, "the body must be application/scim+json");
    *out =
        json_loadb(rq->raw == NULL ? "" : rq->raw, rq->raw_length, JSON_REJECT_DUPLICATES, &error);
    if (*out == NULL)
        return scim_fail(rq, "invalidSyntax", "the body is not JSON: %s (byte %d)", error.text,
                         error.position);
    arena_own(rq->arena, *out, release_json);
    if (!json_is_object(*out))
        return scim_fail(rq, "invalidSyntax", "the body is no JSON object");
    return OK;
}

enum err scim_reply(struct request *rq, json_t *json)
{
    TRY(request_reply_json(rq, json));
    return request_reply_bytes(rq, "application/scim+json", rq->reply.bytes, rq->reply.length);
}

static const char *location(struct arena *a, const struct scim_meta *m)
{
    return arena_printf(a, "%s/scim/v2/%ss/%s", access_jwt_issuer(), m->type, m->id);
}

static const char *etag(struct arena *a, int64_t version)
{
    return arena_printf(a, "W/\"%lld\"", (long long)version);
}

json_t *scim_resource(struct request *rq, const struct scim_meta *m, json_t *json)
{
    json_object_set_new(json, "id", json_string(m->id));
    json_object_set_new(json, "meta",
                        json_pack("{s:s,s:s,s:s,s:s,s:s}", "resourceType", m->type, "created",
                                  m->created_at, "lastModified", m->updated_at, "version",
                                  etag(rq->arena, m->version), "location", location(rq->arena, m)));
    return json;
}

enum err scim_reply_resource(struct request *rq, const struct scim_meta *m, json_t *json)
{
    request_set_header(rq, "ETag", etag(rq->arena, m->version));
    request_set_header(rq, "Location", location(rq->arena, m));
    return scim_reply(rq, scim_resource(rq, m, json));
}

enum err scim_match(struct request *rq, int64_t version)
{
    const char *wanted = request_header(rq, "if-match");
    const char *weak = etag(rq->arena, version);

    if (wanted == NULL || strcmp(wanted, "*") == 0 || strcmp(wanted, weak) == 0 ||
        strcmp(wanted, weak + 2) == 0)
        return OK;
    return fail(rq, ERR_PRECONDITION, "the resource has changed; its version is %s", weak);
}

enum err scim_reply_list(struct request *rq, const struct scim_search *s, int64_t total,
                         json_t *list)
{
    return scim_reply(rq, json_pack("{s:[s],s:I,s:I,s:I,s:o}", "schemas",
                                    "urn:ietf:params:scim:api:messages:2.0:ListResponse",
                                    "totalResults", (json_int_t)total, "startIndex",
                                    (json_int_t)s->start, "itemsPerPage",
                                    (json_int_t)json_array_size(list), "Resources", list));
}

const char *scim_name(struct arena *a, const char *wish, const char *id)
{
    struct digest d = sha256_of(id, strlen(id));
    char stem[STEM_MAX + 1];
    char tag[2 * TAG_BYTES + 1];
    size_t n = 0;

    for (; *wish != '\0' && *wish != '@' && n < STEM_MAX; wish++) {
        char c = (char)tolower((unsigned char)*wish);
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

        if (plain || (n > 0 && strchr("._-", c) != NULL))
            stem[n++] = c;
        else if (c == ' ' && n > 0)
            stem[n++] = '-';
    }
    stem[n] = '\0';
    hex_encode(d.bytes, TAG_BYTES, tag);
    return arena_printf(a, "%s.%s", n == 0 ? "user" : stem, tag);
}

/* GET /scim/v2/ServiceProviderConfig (RFC 7643 §5) */
enum err get_scim_config(struct request *rq)
{
    return scim_reply(
        rq,
        json_pack("{s:[s],s:{s:b},s:{s:b,s:i,s:i},s:{s:b,s:i},s:{s:b},s:{s:b},s:{s:b},"
                  "s:[{s:s,s:s,s:s}]}",
                  "schemas", "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig", "patch",
                  "supported", 1, "bulk", "supported", 0, "maxOperations", 0, "maxPayloadSize", 0,
                  "filter", "supported", 1, "maxResults", SCIM_PAGE_MAX, "changePassword",
                  "supported", 0, "sort", "supported", 0, "etag", "supported", 1,
                  "authenticationSchemes", "type", "oauthbearertoken", "name", "OAuth Bearer Token",
                  "description", "an access token or personal access token of a service account"));
}

static json_t *resource_type(const char *name, const char *schema)
{
    return json_pack("{s:[s],s:s,s:s,s:o,s:s}", "schemas",
                     "urn:ietf:params:scim:schemas:core:2.0:ResourceType", "id", name, "name", name,
                     "endpoint", json_sprintf("/%ss", name), "schema", schema);
}

static enum err reply_all(struct request *rq, json_t *list)
{
    const struct scim_search all = {.start = 1};

    return scim_reply_list(rq, &all, (int64_t)json_array_size(list), list);
}

/* GET /scim/v2/ResourceTypes */
enum err get_scim_resource_types(struct request *rq)
{
    return reply_all(rq, json_pack("[o,o]", resource_type("User", SCIM_USER),
                                   resource_type("Group", SCIM_GROUP)));
}

static json_t *attribute(const char *name, const char *type, bool multi, bool required)
{
    return json_pack("{s:s,s:s,s:b,s:b,s:b,s:s,s:s,s:s}", "name", name, "type", type, "multiValued",
                     multi, "required", required, "caseExact", 0, "mutability", "readWrite",
                     "returned", "default", "uniqueness",
                     strcmp(name, "userName") == 0 ? "server" : "none");
}

/* GET /scim/v2/Schemas */
enum err get_scim_schemas(struct request *rq)
{
    json_t *user = json_pack("[o,o,o,o,o,o]", attribute("userName", "string", false, true),
                             attribute("externalId", "string", false, false),
                             attribute("displayName", "string", false, false),
                             attribute("name", "complex", false, false),
                             attribute("emails", "complex", true, false),
                             attribute("active", "boolean", false, false));
    json_t *group = json_pack("[o,o,o]", attribute("displayName", "string", false, true),
                              attribute("externalId", "string", false, false),
                              attribute("members", "complex", true, false));

    return reply_all(rq, json_pack("[{s:s,s:s,s:o},{s:s,s:s,s:o}]", "id", SCIM_USER, "name", "User",
                                   "attributes", user, "id", SCIM_GROUP, "name", "Group",
                                   "attributes", group));
}
