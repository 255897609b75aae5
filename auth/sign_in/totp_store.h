/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIGN_IN_TOTP_STORE_H
#define SIGN_IN_TOTP_STORE_H

#include "auth/sign_in/totp.h"
#include "core/db.h"

/* One-time codes and recovery codes of a user. All in a write transaction of the tenant. */

enum { RECOVERY_CODES = 10 };

/* A new secret, not yet confirmed, instead of one that never was. ERR_EXISTS: there is a confirmed
 * one. */
MUST_CHECK enum err totp_begin(struct db *db, const char *principal_id,
                               const uint8_t secret[TOTP_SECRET]);
/* The first code; ERR_NOT_FOUND without a secret that waits, ERR_CREDENTIALS for a wrong one. */
MUST_CHECK enum err totp_confirm(struct db *db, const char *principal_id, const char *code);
/* RECOVERY_CODES new ones instead of all old ones; texts in the arena. */
MUST_CHECK enum err recovery_codes_make(struct db *db, const char *principal_id,
                                        const char *codes[RECOVERY_CODES]);
/* None, unless there is a second factor that they can stand in for. */
MUST_CHECK enum err recovery_codes_sweep(struct db *db, const char *principal_id);
/* A code of the app, or a recovery code, each good once: ERR_CREDENTIALS. *amr says which. */
MUST_CHECK enum err totp_use(struct db *db, const char *principal_id, const char *code,
                             const char **amr);
MUST_CHECK enum err totp_remove(struct db *db, const char *principal_id);
/* A security key too: an admin's help for who lost them. */
MUST_CHECK enum err factors_remove(struct db *db, const char *principal_id);

#endif
