/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/oauth/provider.h"

#include "auth/access/authority.h"
#include "auth/handlers.h"
#include "auth/keys/envelope.h"
#include "auth/listing.h"
#include "auth/oauth/jwks.h"
#include "auth/outbound.h"
#include "auth/session.h"
#include "auth/sign_in/login_session.h"
#include "lineage/audit.h"

#include <string.h>

enum { GROUPS_MAX = 500 };

struct new_provider {
    const char *name;
    const char *issuer;
    const char *client_id;
    const char *client_secret;
    struct texts algorithms;
    const char *scopes;
    const char *acr_values;
    const char *provisioning;
    const char *subject_claim;
    const char *group_claim;
    json_t *groups;
};

static const char *const provisionings[] = {"jit", "provisioned", NULL};

const struct field new_provider_fields[] = {
    NAME(struct new_provider, name),
    TEXT(struct new_provider, issuer, 500),
    TEXT(struct new_provider, client_id, 255),
    TEXT(struct new_provider, client_secret, 1000),
    OPT_TEXTS(struct new_provider, algorithms, 4),
    OPT_TEXT(struct new_provider, scopes, 500),
    OPT_TEXT(struct new_provider, acr_values, 500),
    CHOICE(struct new_provider, provisioning, provisionings),
    OPT_TEXT(struct new_provider, subject_claim, 100),
    OPT_TEXT(struct new_provider, group_claim, 100),
    OPT_OBJECT(struct new_provider, groups),
    FIELDS_END,
};

static enum err invalid(struct request *rq, const char *member, const char *what)
{
    rq->target = member;
    return fail(rq, ERR_INVALID, "%s: %s", member, what);
}

static enum err check_algorithms(struct request *rq, struct texts *list)
{
    static const char *usual[] = {"RS256", "PS256", "ES256", "EdDSA"};

    if (list->count == 0)
        *list = (struct texts){.items = usual, .count = 4};
    for (size_t i = 0; i < list->count; i++)
        if (jws_alg_find(list->items[i]) == 0)
            return invalid(rq, "algorithms", "must be of RS256, PS256, ES256, EdDSA");
    return OK;
}

static enum err check_groups(struct request *rq, const struct new_provider *n)
{
    const char *value;
    const json_t *group;

    if (n->groups != NULL && n->group_claim == NULL)
        return invalid(rq, "groups", "needs a group_claim");
    if (json_object_size(n->groups) > GROUPS_MAX)
        return invalid(rq, "groups", "has more than 500 members");
    json_object_foreach(
        (json_t *)n->groups, value,
        group) if (!json_is_string(group) ||
                   !name_valid(json_string_value(
                       group))) return invalid(rq, "groups",
                                               "maps values of the claim to names of groups");
    return OK;
}

/* Whoever maps claims to a group lets whoever the provider says into it, maybe themselves (E6). */
static enum err check_admission(struct request *rq, const struct new_provider *n)
{
    const struct holder anyone = {.principal = session_of(rq)->principal};
    const char *value;
    const json_t *group;

    json_object_foreach((json_t *)n->groups, value, group)
    {
        uint32_t into = policy_find_group_name(session_of(rq)->policy, json_string_value(group));

        if (into == POLICY_NONE)
            return invalid(rq, "groups", "names a group that is not there");
        TRY(authority_admit(rq, into, anyone));
        if (policy_group_has(session_of(rq)->policy, into, GRANT_SPARE))
            TRY(authority_free(rq, anyone));
    }
    return OK;
}

/* RFC 6749 §3.3, with blanks between words. */
static bool words_valid(const char *words)
{
    for (; *words != '\0'; words++)
        if (*words < ' ' || *words == '"' || *words == '\\' || *words > '~')
            return false;
    return true;
}

/* "openid" is what makes it OpenID Connect. */
static enum err check_scopes(struct request *rq, const char *scopes)
{
    const char *at = strstr(scopes, "openid");

    if (!words_valid(scopes))
        return invalid(rq, "scopes", "has a character that scopes may not have");
    return at != NULL && (at == scopes || at[-1] == ' ') && (at[6] == ' ' || at[6] == '\0')
               ? OK
               : invalid(rq, "scopes", "must have openid among them");
}

static enum err understand(struct request *rq, struct new_provider *n)
{
    const char *why;

    if (outbound_check(rq->arena, n->issuer, &why) != OK || strchr(n->issuer, '?') != NULL)
        return invalid(rq, "issuer", "must be an https URL without user, query or fragment");
    if (n->scopes == NULL)
        n->scopes = "openid profile email";
    if (n->subject_claim == NULL)
        n->subject_claim = "sub";
    if (strcmp(n->subject_claim, "email") == 0)
        return invalid(rq, "subject_claim", "must not be email, which others can come to have");
    if (n->acr_values != NULL &&
        (!words_valid(n->acr_values) || n->acr_values[strspn(n->acr_values, " ")] == '\0'))
        return invalid(rq, "acr_values", "must be words with blanks between them");
    TRY(check_algorithms(rq, &n->algorithms));
    TRY(check_scopes(rq, n->scopes));
    return check_groups(rq, n);
}

/* POST /v1/identity-providers. The client secret is kept sealed and never shown. */
enum err post_identity_provider(struct request *rq)
{
    struct new_provider n = {.name = NULL};
    struct provider p;
    char id[ID_SIZE];
    enum err e;

    TRY(request_read(rq, &n));
    request_object(rq, "identity-providers/%s", n.name);
    TRY(understand(rq, &n));
    TRY(authority_fence(rq));
    TRY(check_admission(rq, &n));
    id_new(id);
    p = (struct provider){.id = id,
                          .name = n.name,
                          .issuer = n.issuer,
                          .client_id = n.client_id,
                          .algorithms = n.algorithms,
                          .scopes = n.scopes,
                          .acr_values = n.acr_values,
                          .provisioning = n.provisioning,
                          .subject_claim = n.subject_claim,
                          .group_claim = n.group_claim,
                          .groups = n.groups == NULL ? json_object() : json_incref(n.groups),
                          .created_by = rq->caller.id};
    e = provider_insert(rq->db, &p);
    json_decref(p.groups);
    if (e == ERR_EXISTS)
        return fail(rq, e, "there is an identity provider %s already", n.name);
    TRY(e);
    TRY(envelope_seal(rq->db, &(struct envelope_place){id, 1, PROVIDER_PURPOSE}, n.client_secret,
                      strlen(n.client_secret)));
    request_status(rq, 201);
    TRY(provider_find(rq->db, n.name, &p));
    return request_reply(rq, provider_fields, &p);
}

/* GET /v1/identity-providers */
enum err get_identity_providers(struct request *rq)
{
    struct listing l;
    struct rows rows;

    TRY(listing_read(rq, false, &l));
    TRY(provider_list(rq->db, l.after, l.limit + 1, &rows));
    return listing_reply(rq, &l, provider_fields, sizeof(struct provider), &rows,
                         offsetof(struct provider, name));
}

/* GET /v1/identity-providers/{provider} */
enum err get_identity_provider(struct request *rq)
{
    struct provider p;

    TRY(provider_find(rq->db, rq->args[0], &p));
    return request_reply(rq, provider_fields, &p);
}

/* DELETE /v1/identity-providers/{provider}. Who came from there stays, but is signed
 * out and cannot sign in there. */
enum err delete_identity_provider(struct request *rq)
{
    struct provider p;

    request_object(rq, "identity-providers/%s", rq->args[0]);
    TRY(provider_find(rq->db, rq->args[0], &p));
    audit_before(rq, provider_fields, &p);
    TRY(login_session_end_from(rq->db, p.id, NULL, NULL, NULL));
    TRY(envelope_drop(rq->db, p.id));
    TRY(provider_delete(rq->db, p.id));
    return request_reply_empty(rq);
}
