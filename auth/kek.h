/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AUTH_KEK_H
#define AUTH_KEK_H

#include "core/service.h"

#include <stddef.h>

/* The installation's keys under which tenants' keys are wrapped, newest first: from the setting kek
 * (environment CHANCERY_KEK), else kek_file, else one derived from the key file. An older one opens
 * what it wrapped and wraps nothing more. */
enum { KEKS_MAX = 8, KEK_ID = 17 };

MUST_CHECK enum err kek_start(const struct service *service);
void kek_stop(void);
/* The name of the newest. */
const char *kek_current(void);
MUST_CHECK enum err kek_wrap(const char *place, const uint8_t *key, uint8_t *wrapped);
/* ERR_NOT_FOUND: there is no such key here. */
MUST_CHECK enum err kek_unwrap(const char *id, const char *place, const uint8_t *wrapped,
                               uint8_t *key);

#endif
