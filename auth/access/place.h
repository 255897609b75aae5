/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_PLACE_H
#define ACCESS_PLACE_H

#include "auth/access/authority.h"

/* Where and for whom something holds, as bodies name it, found in the caller's policy. */
struct place {
    const char *scope;   /* "tenant", "project", "asset"; of bindings "platform" too */
    const char *project; /* name; at project and asset */
    const char *asset;   /* "models/risk", "datasets/…", "endpoints/…" or "jobs"; at asset */
};
/* clang-format off */
#define PLACE_FIELDS(record, scopes)                                                               \
    {.name = "scope", .type = FIELD_TEXT, .offset = offsetof(record, place.scope), .max = 64, .choices = (scopes)}, \
    {.name = "project", .type = FIELD_NAME, .offset = offsetof(record, place.project), .optional = true, .max = 63}, \
    {.name = "asset", .type = FIELD_TEXT, .offset = offsetof(record, place.asset), .optional = true, .max = 80}
/* The same where a place may be left out. */
#define PLACE_OPT_FIELDS(record, scopes)                                                           \
    {.name = "scope", .type = FIELD_TEXT, .offset = offsetof(record, place.scope), .optional = true, .max = 64, .choices = (scopes)}, \
    {.name = "project", .type = FIELD_NAME, .offset = offsetof(record, place.project), .optional = true, .max = 63}, \
    {.name = "asset", .type = FIELD_TEXT, .offset = offsetof(record, place.asset), .optional = true, .max = 80}
/* clang-format on */
struct place_found {
    uint32_t scope;
    enum role_place kind;
    const char *project_id; /* NULL above projects; borrowed from the policy */
};

/* ERR_INVALID names the member. A project that the caller has no business with is not there: it
 * must be able to read it or to do action in it. An asset need not be there yet. */
MUST_CHECK enum err place_find(struct request *rq, const struct place *in, enum action action,
                               struct place_found *out);
/* A user, service account or group by the members principal and group, one of which is given. */
MUST_CHECK enum err place_holder(struct request *rq, const char *principal, const char *group,
                                 struct holder *out);
const char *holder_id(struct request *rq, struct holder h);
const char *holder_name(struct request *rq, struct holder h);
/* NULL, or a time to come in RFC 3339. */
MUST_CHECK enum err place_until(struct request *rq, const char *until);
/* ERR_INVALID with this member as target. */
enum err place_invalid(struct request *rq, const char *member, const char *what);

#endif
