/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AUTH_SESSION_H
#define AUTH_SESSION_H

#include "auth/access/policy.h"
#include "auth/auth.h"
#include "auth/token.h"
#include "core/request.h"

/* What auth knows of a request that has shown a good token: on whichever thread it goes on, until
 * its arena ends. */
struct session {
    struct session *next;
    const struct request *rq;
    struct policy *policy;
    uint32_t principal;
    uint32_t project; /* of a PROJECT route, once allowed; else POLICY_NONE */
    uint32_t scope;   /* of such a route: the project's, or that of its asset */
    struct claims claims;
    struct circumstances circumstances;
};

/* A new session for the request, instead of any it had; takes policy. Fills rq->caller. */
struct session *session_begin(struct request *rq, const struct claims *claims,
                              struct policy *policy, uint32_t principal);
/* NULL when the request has shown no token. */
struct session *session_of(const struct request *rq);
/* Go on under this policy, which is newer; takes it. ERR_TOKEN when the caller is no more in it. */
MUST_CHECK enum err session_renew(struct session *s, struct request *rq, struct policy *policy);

bool session_may(const struct session *s, enum action a, uint32_t scope);
/* The scope of the project of that name; of the tenant for NULL and for one that is not active. */
uint32_t session_scope(const struct session *s, const char *project);
/* The same of an asset in it; NULL is none. */
uint32_t session_asset_scope(const struct session *s, const char *project, const char *asset);

/* What of one kind ("models/") the action is allowed on in the project of that index. */
void session_readable(const struct session *s, struct arena *arena, enum action a, uint32_t project,
                      const char *kind, struct readable *out);

#endif
