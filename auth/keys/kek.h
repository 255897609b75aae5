/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYS_KEK_H
#define KEYS_KEK_H

#include "core/service.h"

#include <stddef.h>

/* The installation's keys under which tenants' keys are wrapped, those of their audit logs too
 * (lineage/privacy/subject_key.h), newest first: those of the setting
 * kek (best from the environment, CHANCERY_KEK), then those of kek_file; with neither, the derived
 * one. An older one opens what it wrapped and wraps nothing more. A key is said as
 *     64 hexadecimal digits
 *     pkcs11:…    one on a token, which it never leaves (auth/keys/kek_token.h); ',' in it is %2C
 *     derived     the one derived from the key file, to come from it or go back to it
 * Keys in memory are on a page of their own, locked, in no core dump and in no child process. */
enum { KEKS_MAX = 8, KEK_ID = 17 };

/* ERR_INVALID or ERR_UNAVAILABLE, the reason is in the log: the service must not start then. */
MUST_CHECK enum err kek_start(const struct service *service);
void kek_stop(void);
/* The name of the newest. */
const char *kek_current(void);
/* ERR_UNAVAILABLE when its token does not answer, as of kek_unwrap. */
MUST_CHECK enum err kek_wrap(const char *place, const uint8_t *key, uint8_t *wrapped);
/* ERR_NOT_FOUND: there is no such key here. ERR_INTERNAL: it does not open. */
MUST_CHECK enum err kek_unwrap(const char *id, const char *place, const uint8_t *wrapped,
                               uint8_t *key);

#endif
