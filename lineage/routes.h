/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINEAGE_ROUTES_H
#define LINEAGE_ROUTES_H

#include "core/request.h"

/* The handlers of routes.def. */
#define ROUTE(method, path, action, scope, tx, audit, body, dialect, handler, help)                \
    enum err handler(struct request *rq);
#include "lineage/routes.def"
#undef ROUTE

#endif
