/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OAUTH_FEDERATION_H
#define OAUTH_FEDERATION_H

#include "auth/oauth/provider.h"
#include "core/request.h"
#include "core/service.h"

/* What a provider's ID token says of a person, in terms of this tenant. */
struct federated {
    const char *subject;
    const char *external_id; /* value of subject_claim; NULL when the token has none */
    const char *user_name;   /* preferred_username; a wish */
    const char *display_name;
    const char *email;
    struct texts groups; /* names of groups here */
    const char *sid;     /* of its session, by which it may end ours; NULL for none */
    int64_t auth_ms;     /* when it signed the person in, as far as it says; 0 */
    bool overage; /* the provider left the groups out of the token, since they are too many */
};

void federation_start(const struct service *service);

/* The person of this token: known already, or, as the provider's line says, provisioned by SCIM or
 * made now. Its memberships of source 'claim' become those of the token. Inside a TX_WRITE of the
 * tenant. ERR_DENIED when there is nobody, or it is disabled. */
struct person {
    const char *id;
    const char *name;
    const char *state;
};
MUST_CHECK enum err federation_enter(struct request *rq, const struct provider *p,
                                     const struct federated *f, struct person *out);
/* The principal of a subject; ERR_NOT_FOUND. In a transaction of the tenant. */
MUST_CHECK enum err federation_known(struct db *db, const struct provider *p, const char *subject,
                                     struct person *out);
/* enum jws_alg of what the provider may sign with. */
unsigned provider_algorithms(const struct provider *p);
/* Read claims. Texts are borrowed from them. */
MUST_CHECK enum err federation_read(struct arena *a, const struct provider *p, const json_t *claims,
                                    struct federated *out);

#endif
