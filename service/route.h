/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_ROUTE_H
#define SERVICE_ROUTE_H

#include "core/route.h"

#include <stdbool.h>
#include <stdio.h>

/* Build the look-up structure. Once, before the first request. */
void routes_open(void);

/* The whole interface of the service, one route a line, or as a JSON array of
 * {method, path, action, scope, tx, audit, handler, help} for tests. */
void routes_print(FILE *out, bool json);

#endif
