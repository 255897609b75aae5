/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AUTH_HANDLERS_H
#define AUTH_HANDLERS_H

#include "core/request.h"

/* The handlers and body tables that auth/routes.def names. */
#define ROUTE(method, path, action, scope, tx, audit, body, dialect, handler, help)                \
    enum err handler(struct request *rq);                                                          \
    extern const struct field body[];
#include "auth/routes.def"
#undef ROUTE

#endif
