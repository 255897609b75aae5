/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_HANDLERS_H
#define SERVICE_HANDLERS_H

#include "core/request.h"

/* The handlers that this folder's routes.def names. */
#define ROUTE(method, path, action, scope, tx, audit, body, dialect, handler, help)                \
    enum err handler(struct request *rq);
#include "service/routes.def"
#undef ROUTE

#endif
