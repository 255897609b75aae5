/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_HANDLERS_H
#define REGISTRY_HANDLERS_H

#include "core/request.h"

/* The handlers and body tables that this folder's routes.def names. */
#define ROUTE(method, path, action, scope, tx, audit, body, dialect, handler, help)                \
    enum err handler(struct request *rq);                                                          \
    extern const struct field body[];
#include "registry/routes.def"
#undef ROUTE

#endif
