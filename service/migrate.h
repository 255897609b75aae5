/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_MIGRATE_H
#define SERVICE_MIGRATE_H

#include "core/err.h"

#include <stdint.h>

/* The schema's migrations are part of the program: forward only, without gaps, never edited. The
 * table schema_migration says which have been applied and with what text (SHA-256); installation
 * knows which key file the stored secrets are sealed with. A database that says anything else stops
 * the start. */

/* Apply what is missing, each in a transaction of its own as chancery_owner, one service at a time.
 * key has SEAL_KEY bytes. Logs each one applied, and why not. */
MUST_CHECK enum err migrate_run(const char *admin_conninfo, const uint8_t *key);

/* The same checks without changing anything; the schema must be exactly ours. */
MUST_CHECK enum err migrate_check(const char *app_conninfo, const uint8_t *key);

/* The name of the newest migration in this program. */
const char *migrate_newest(void);

/* What the database remembers of the key file: a MAC that tells nothing about it. out holds 65. */
void migrate_key_check(const uint8_t *key, char *out);

#endif
