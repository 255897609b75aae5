/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_OPS_H
#define SERVICE_OPS_H

#include "service/listener.h"

/* The front door whose counters /metrics shows; NULL before it is open and after it is closed. */
void ops_watch(struct listener *listener);

#endif
