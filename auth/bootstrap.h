/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AUTH_BOOTSTRAP_H
#define AUTH_BOOTSTRAP_H

#include "core/db.h"

/* One-time codes, each good for making one tenant and its first admin: 32 random bytes in
 * base64url, of which the SHA-256 is kept, for an hour. */
enum { BOOTSTRAP_MINUTES = 60 };

/* The code of the installation's first admin, who may make further tenants: written to path (0600,
 * one line, whole or not at all), which is removed when the code is used. path is borrowed until
 * the process ends; db->arena must be set. Not inside a transaction. */
MUST_CHECK enum err bootstrap_issue(struct db *db, const char *path);

/* A code for the tenant of this name, in the arena. Inside a transaction. */
MUST_CHECK enum err bootstrap_code_for(struct db *db, const char *tenant, const char **code,
                                       const char **expires_at);

#endif
