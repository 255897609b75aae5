/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/oauth/workload.h"

#include "auth/access/authority.h"
#include "auth/access_jwt.h"
#include "auth/handlers.h"
#include "auth/listing.h"
#include "auth/outbound.h"
#include "auth/principal.h"
#include "auth/session.h"
#include "lineage/audit.h"

#include <string.h>

enum { CLAIMS_MAX = 20 };

static const char github[] = "https://token.actions.githubusercontent.com";
static const char gitlab[] = "https://gitlab.com";

const struct field new_workload_fields[] = {
    NAME(struct workload_trust, name),
    TEXT(struct workload_trust, issuer, 500),
    OPT_TEXT(struct workload_trust, audience, 500),
    TEXT(struct workload_trust, subject, 255),
    OPT_OBJECT(struct workload_trust, claims),
    NAME(struct workload_trust, service_account),
    FIELDS_END,
};

static enum err invalid(struct request *rq, const char *member, const char *what)
{
    rq->target = member;
    return fail(rq, ERR_INVALID, "%s: %s", member, what);
}

/* An audience that a platform uses anyway would make every token of it good here. */
static enum err check_audience(struct request *rq, struct workload_trust *t)
{
    static const char *const usual[] = {"https://kubernetes.default.svc", "https://github.com/",
                                        "sts.amazonaws.com", "api://AzureADTokenExchange"};

    if (t->audience == NULL)
        t->audience =
            arena_printf(rq->arena, "%s/tenants/%s", access_jwt_issuer(), rq->caller.tenant);
    if (strcmp(t->audience, t->issuer) == 0)
        return invalid(rq, "audience", "must be ours, not the issuer's own");
    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
        if (strncmp(t->audience, usual[i], strlen(usual[i])) == 0)
            return invalid(rq, "audience", "is one that tokens for others have too");
    return OK;
}

/* Names of repositories and projects can be given up and taken by others; their numbers cannot. */
static enum err check_pins(struct request *rq, const struct workload_trust *t)
{
    const char *name;
    const json_t *value;

    if (json_object_size(t->claims) > CLAIMS_MAX)
        return invalid(rq, "claims", "has more than 20 members");
    json_object_foreach(
        (json_t *)t->claims, name,
        value) if (!json_is_string(value) && !json_is_integer(value) &&
                   !json_is_boolean(
                       value)) return invalid(rq, "claims",
                                              "maps names to texts, integers and booleans");
    if (strcmp(t->issuer, github) == 0 &&
        (json_object_get(t->claims, "repository_id") == NULL ||
         json_object_get(t->claims, "repository_owner_id") == NULL))
        return invalid(rq, "claims", "must pin repository_id and repository_owner_id");
    if (strcmp(t->issuer, gitlab) == 0 && json_object_get(t->claims, "project_id") == NULL)
        return invalid(rq, "claims", "must pin project_id");
    return OK;
}

static enum err understand(struct request *rq, struct workload_trust *t)
{
    const char *why;

    if (outbound_check(rq->arena, t->issuer, &why) != OK || strchr(t->issuer, '?') != NULL)
        return invalid(rq, "issuer", "must be an https URL without user, query or fragment");
    if (strpbrk(t->subject, "*?") != NULL)
        return invalid(rq, "subject", "is compared exactly; there are no patterns");
    if (strstr(t->subject, ":pull_request") != NULL)
        return invalid(rq, "subject", "pull requests run the code of strangers");
    TRY(check_audience(rq, t));
    return check_pins(rq, t);
}

/* Whoever sets this up could act as the service account, so must be able to do as much. */
static enum err find_account(struct request *rq, struct workload_trust *t)
{
    const struct session *s = session_of(rq);
    struct principal p;
    enum err e = principal_find(rq->db, "service", t->service_account, &p);

    if (e == ERR_NOT_FOUND)
        return invalid(rq, "service_account", "there is no such service account");
    TRY(e);
    t->principal_id = p.id;
    return authority_covers(rq, policy_find_principal(s->policy, p.id));
}

/* POST /v1/workload-identities */
enum err post_workload_identity(struct request *rq)
{
    struct workload_trust t = {.audience = NULL};
    char id[ID_SIZE];
    enum err e;

    TRY(request_read(rq, &t));
    request_object(rq, "workload-identities/%s", t.name);
    TRY(understand(rq, &t));
    TRY(authority_fence(rq));
    TRY(find_account(rq, &t));
    id_new(id);
    t.id = id;
    t.claims = t.claims == NULL ? json_object() : json_incref(t.claims);
    e = workload_insert(rq->db, &t, rq->caller.id);
    json_decref(t.claims);
    if (e == ERR_EXISTS)
        return fail(rq, e, "there is a workload identity of this name, or for this subject");
    TRY(e);
    request_status(rq, 201);
    TRY(workload_find(rq->db, t.name, &t));
    return request_reply(rq, workload_fields, &t);
}

/* GET /v1/workload-identities */
enum err get_workload_identities(struct request *rq)
{
    struct listing l;
    struct rows rows;

    TRY(listing_read(rq, false, &l));
    TRY(workload_list(rq->db, l.after, l.limit + 1, &rows));
    return listing_reply(rq, &l, workload_fields, sizeof(struct workload_trust), &rows,
                         offsetof(struct workload_trust, name));
}

/* DELETE /v1/workload-identities/{workload} */
enum err delete_workload_identity(struct request *rq)
{
    struct workload_trust t;

    request_object(rq, "workload-identities/%s", rq->args[0]);
    TRY(workload_find(rq->db, rq->args[0], &t));
    audit_before(rq, workload_fields, &t);
    TRY(workload_delete(rq->db, t.id));
    return request_reply_empty(rq);
}
