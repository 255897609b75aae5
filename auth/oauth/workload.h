/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OAUTH_WORKLOAD_H
#define OAUTH_WORKLOAD_H

#include "core/request.h"

/* Workloads that bear a token of their own platform (a Kubernetes service account, a CI job) act as
 * a service account, without a secret: by RFC 8693 or RFC 7523 they exchange it for an access
 * token. Trust is in one issuer, one audience, one exact subject and the pinned claims. */
struct workload_trust {
    const char *id;
    const char *name;
    const char *issuer;
    const char *audience;
    const char *subject;
    json_t *claims;              /* each must be in the token with exactly this value */
    const char *service_account; /* name */
    const char *principal_id;
    const char *state; /* of the service account */
    const char *created_at;
};

/* POST /oauth2/token for such a token: client is "<tenant>/<service account>". The access token
 * lives 15 minutes at most, and no longer than what it was given for. For TX_MANUAL routes. */
enum err workload_grant(struct request *rq, const char *client, const char *token);

/* The rest inside a transaction of the tenant. */
MUST_CHECK enum err workload_find(struct db *db, const char *name, struct workload_trust *out);
/* By service account, issuer and subject. */
MUST_CHECK enum err workload_match(struct db *db, const char *account, const char *issuer,
                                   const char *subject, struct workload_trust *out);
MUST_CHECK enum err workload_list(struct db *db, const char *after, int64_t limit,
                                  struct rows *out);
MUST_CHECK enum err workload_insert(struct db *db, const struct workload_trust *t, const char *by);
MUST_CHECK enum err workload_delete(struct db *db, const char *id);
extern const struct field workload_fields[];

#endif
