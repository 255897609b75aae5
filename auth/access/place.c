/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/place.h"

#include "auth/session.h"

#include <string.h>

enum err place_invalid(struct request *rq, const char *member, const char *what)
{
    rq->target = member;
    return fail(rq, ERR_INVALID, "%s: %s", member, what);
}

static bool asset_valid(const char *asset)
{
    static const char *const kinds[] = {
#define ASSET_KIND(kind) kind "s/",
#include "auth/kinds.def"
#undef ASSET_KIND
        "endpoints/"};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strncmp(asset, kinds[i], strlen(kinds[i])) == 0)
            return name_valid(asset + strlen(kinds[i]));
    return strcmp(asset, "jobs") == 0;
}

static enum role_place kind_of(const char *scope)
{
    return strcmp(scope, "asset") == 0     ? AT_ASSET
           : strcmp(scope, "project") == 0 ? AT_PROJECT
           : strcmp(scope, "tenant") == 0  ? AT_TENANT
                                           : AT_PLATFORM;
}

enum err place_find(struct request *rq, const struct place *in, enum action action,
                    struct place_found *out)
{
    const struct session *s = session_of(rq);

    *out = (struct place_found){.kind = kind_of(in->scope)};
    if (((out->kind & (AT_PROJECT | AT_ASSET)) != 0) != (in->project != NULL))
        return place_invalid(rq, "project", "is needed at scope project or asset, and only there");
    if ((out->kind == AT_ASSET) != (in->asset != NULL))
        return place_invalid(rq, "asset", "is needed at scope asset, and only there");
    if (in->asset != NULL && !asset_valid(in->asset))
        return place_invalid(rq, "asset",
                             "is models/NAME (or of another kind), endpoints/NAME or jobs");
    out->scope = out->kind == AT_PLATFORM ? SCOPE_AT_PLATFORM : SCOPE_AT_TENANT;
    if (in->project == NULL)
        return OK;
    out->scope = session_asset_scope(s, in->project, in->asset);
    if (out->scope == SCOPE_AT_TENANT ||
        (!session_may(s, PROJECT_READ, out->scope) && !session_may(s, action, out->scope)))
        return place_invalid(rq, "project", "there is no such project");
    out->project_id = policy_scope_project(s->policy, out->scope)->id;
    rq->project = in->project;
    return OK;
}

enum err place_holder(struct request *rq, const char *principal, const char *group,
                      struct holder *out)
{
    const struct session *s = session_of(rq);

    *out = (struct holder){.principal = POLICY_NONE};
    if ((principal == NULL) == (group == NULL))
        return place_invalid(rq, "principal", "say either principal or group");
    if (principal != NULL) {
        out->principal = policy_find_principal_name(s->policy, principal);
        return out->principal != POLICY_NONE
                   ? OK
                   : place_invalid(rq, "principal", "there is no such user or service account");
    }
    out->group = policy_find_group_name(s->policy, group);
    if (out->group == POLICY_NONE)
        return place_invalid(rq, "group", "there is no such group");
    out->group++;
    return OK;
}

const char *holder_id(struct request *rq, struct holder h)
{
    const struct policy *p = session_of(rq)->policy;

    return h.group != 0 ? policy_group(p, h.group - 1)->id : policy_principal(p, h.principal)->id;
}

const char *holder_name(struct request *rq, struct holder h)
{
    const struct policy *p = session_of(rq)->policy;

    return h.group != 0 ? policy_group(p, h.group - 1)->name
                        : policy_principal(p, h.principal)->name;
}

enum err place_until(struct request *rq, const char *until)
{
    int64_t ms;

    if (until == NULL)
        return OK;
    if (!time_parse(until, &ms))
        return place_invalid(rq, "valid_until", "is no time in RFC 3339");
    return ms > time_now_ms() ? OK : place_invalid(rq, "valid_until", "lies in the past");
}
