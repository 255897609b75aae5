/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_PARTS_H
#define SERVICE_PARTS_H

#include "core/err.h"
#include "core/service.h"

/* What works in the background (service/parts.def), started in order before the first request and
 * stopped in reverse after the last. On failure everything started is stopped again; logged by
 * name. */
MUST_CHECK enum err parts_start(const struct service *service);
void parts_stop(void);

#endif
