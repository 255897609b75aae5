/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINEAGE_KEEPER_H
#define LINEAGE_KEEPER_H

#include "core/service.h"

/* The thread that looks after what is on record: makes the words of entries searchable, and forgets
 * payloads when their time is up. */
MUST_CHECK enum err keeper_start(const struct service *service);
void keeper_stop(void);
/* A retention policy is about to change. */
void keeper_wake(void);

#endif
