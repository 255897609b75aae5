/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AUTH_SCIM_H
#define AUTH_SCIM_H

#include "core/request.h"

/* SCIM 2.0 (RFC 7643, RFC 7644) with the habits of Entra and Okta: a directory keeps its users and
 * groups here. It sees and touches only what it made; whoever leaves loses tokens and jobs at once.
 */
#define SCIM_USER  "urn:ietf:params:scim:schemas:core:2.0:User"
#define SCIM_GROUP "urn:ietf:params:scim:schemas:core:2.0:Group"
enum { SCIM_PAGE_MAX = 200, SCIM_OPERATIONS_MAX = 100, SCIM_MEMBERS_MAX = 10000 };

/* The body, which must be an object; owned by the request. */
MUST_CHECK enum err scim_body(struct request *rq, json_t **out);
/* ERR_INVALID with scimType (RFC 7644 §3.12) type. */
#define scim_fail(rq, type, ...) (scim_type((rq), (type)), fail((rq), ERR_INVALID, __VA_ARGS__))
void scim_type(struct request *rq, const char *type);
/* application/scim+json; takes json. */
enum err scim_reply(struct request *rq, json_t *json);
/* A resource with its meta, ETag and, for 201, Location; takes json. */
struct scim_meta {
    const char *type; /* "User" or "Group" */
    const char *id;
    int64_t version;
    const char *created_at;
    const char *updated_at;
};
json_t *scim_resource(struct request *rq, const struct scim_meta *m, json_t *json);
enum err scim_reply_resource(struct request *rq, const struct scim_meta *m, json_t *json);
/* If-Match: ERR_PRECONDITION unless it names this version. */
MUST_CHECK enum err scim_match(struct request *rq, int64_t version);

/* ?filter=, only "attribute eq value" joined by "and"; ?startIndex= and ?count=. NULL: not asked.
 */
struct scim_search {
    const char *id;
    const char *user_name;
    const char *external_id;
    const char *display_name;
    const char *email;
    const char *active; /* "true" or "false" */
    const char *member;
    int64_t start; /* from 1 */
    int64_t count;
};
MUST_CHECK enum err scim_search(struct request *rq, struct scim_search *out);
/* A page of resources; takes list. */
enum err scim_reply_list(struct request *rq, const struct scim_search *s, int64_t total,
                         json_t *list);

/* Apply the Operations of a PatchOp body to a resource, in place (RFC 7644 §3.5.2). */
MUST_CHECK enum err scim_patch(struct request *rq, const json_t *body, json_t *resource);
/* "Ann.Lee@corp" and an id as a name in our form: "ann.lee.1f2e3d4c". */
const char *scim_name(struct arena *a, const char *wish, const char *id);

#endif
