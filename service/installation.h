/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_INSTALLATION_H
#define SERVICE_INSTALLATION_H

#include "core/arena.h"
#include "core/config.h"
#include "core/err.h"
#include "service/database.h"
#include "service/home.h"

/* A home directory and its database, as every command needs them. */
struct installation {
    struct arena *arena; /* texts that live as long as this */
    const struct config *config;
    struct home home;
    struct database database;
};

/* INSTALLATION_SERVE refuses a home that another process serves; INSTALLATION_VISIT uses its
 * database. */
enum installation_use { INSTALLATION_SERVE, INSTALLATION_VISIT };

/* Home, key and database. Logs why not. installation_close is needed only after OK. */
MUST_CHECK enum err installation_open(struct installation *i, const struct config *c,
                                      enum installation_use use);
void installation_close(struct installation *i);

/* Bring the schema up to date (or check it, without the right to), then lint the catalogue. */
MUST_CHECK enum err installation_schema(struct installation *i);

/* Write a fresh one-time code to path, with the service's own rights. */
MUST_CHECK enum err installation_invite(struct installation *i, const char *path);

/* Let all codes that were not used expire. On a server that others may share, nothing. */
MUST_CHECK enum err installation_withdraw(struct installation *i);

/* Whether a tenant has been made yet. ERR_INTERNAL, logged, when the database does not say. */
MUST_CHECK enum err installation_has_tenant(struct installation *i, bool *has);

#endif
