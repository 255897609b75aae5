/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AUTH_LIMIT_H
#define AUTH_LIMIT_H

#include "core/request.h"
#include "core/service.h"

/* How fast requests may come. Whoever is known is asked for the rates of the tenant, of the
 * principal and of the principal's route class, all in memory (core/gcra.h) and all on a network
 * thread before anything is spent on the request; whoever is not, for those of the address: of all
 * requests, of sign-ins, and of tokens that turned out bad. An address is an IPv4 address or an
 * IPv6 /64. Two seconds' worth may come at once.
 *
 * A request too many is ERR_RATE with Retry-After, RateLimit-Policy and RateLimit
 * (draft-ietf-httpapi-ratelimit-headers-10); on OpenLineage's routes ERR_BUSY, since its clients
 * drop events on 429 and repeat on 503. Each of several replicas gives its share of a tenant's
 * rates; what they give too much while one comes or goes is at most a second's worth. */

enum limit {
#define LIMIT(name, units, meaning) LIMIT_##name,
#include "auth/limits.def"
#undef LIMIT
    LIMITS
};

/* A second; 0: what the installation says. */
struct limits {
#define LIMIT(name, units, meaning) int64_t name;
#include "auth/limits.def"
#undef LIMIT
};
extern const struct field limit_fields[];

MUST_CHECK enum err limit_start(const struct service *service);
void limit_stop(void);

/* By the address alone. Before the route is known. */
MUST_CHECK enum err limit_address(struct request *rq);
/* Nobody is known and a sign-in or a token to look at is asked for. */
MUST_CHECK enum err limit_unknown(struct request *rq);
/* The token of the request was looked at and is bad. */
void limit_bad_token(const struct request *rq);
/* Once for each request, when its caller is known. */
MUST_CHECK enum err limit_caller(struct request *rq, const char *tenant_id, const char *principal);

/* The tenant's limits are these from now on, here; elsewhere within a second. */
void limit_set(const char *tenant_id, const struct limits *own);
/* What holds for a tenant with limits of its own; NULL for none: those of the installation. */
struct limits limit_effective(const struct limits *own);

/* Refused so far, by which limit; names are those of limits.def and "address", "token". */
enum { LIMIT_COUNTERS = LIMITS + 2 };
const char *limit_counter(unsigned i, int64_t *refused);

#endif
