/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_ROUTE_H
#define CORE_ROUTE_H

#include "core/request.h"

/* The assembled route table, which service/route.c builds from every folder's routes.def. */
extern const struct route *const routes;
extern const unsigned routes_count;

/* Match a request target ("/v1/projects/credit?limit=10", as received): fills rq->route, rq->path
 * (decoded), rq->args and rq->query. ERR_NOT_FOUND for an unknown path, ERR_METHOD for a known one,
 * ERR_INVALID (with detail) for a target that is not well formed. HEAD finds the GET route. */
MUST_CHECK enum err route_find(struct request *rq, const char *method, const char *target);

#endif
