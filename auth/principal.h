/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AUTH_PRINCIPAL_H
#define AUTH_PRINCIPAL_H

#include "core/db.h"

/* A user, or a service account with the user who answers for it. */
struct principal {
    const char *id;
    const char *name;
    const char *kind; /* "user" or "service" */
    const char *display_name;
    const char *email;
    const char *state; /* "active" or "disabled" */
    const char *owner; /* name; NULL for users */
    const char *owner_id;
    const char *created_at;
    const char *password_hash; /* PHC; NULL for none; never shown */
};
extern const struct field principal_fields[];

/* All inside a transaction of the tenant. kind NULL finds either. */
MUST_CHECK enum err principal_find(struct db *db, const char *kind, const char *name,
                                   struct principal *out);
MUST_CHECK enum err principal_lock(struct db *db, const char *kind, const char *name,
                                   struct principal *out);
MUST_CHECK enum err principal_list(struct db *db, const char *kind, const char *after,
                                   int64_t limit, struct rows *out);
/* id, name, kind, display_name, email, owner_id and password_hash are taken. */
MUST_CHECK enum err principal_insert(struct db *db, const struct principal *p, const char *by);
/* display_name, email, state, owner_id and password_hash are written. */
MUST_CHECK enum err principal_update(struct db *db, const struct principal *p);
/* Access tokens that the principal has by now are refused from now on. */
MUST_CHECK enum err principal_end_tokens(struct db *db, const struct principal *p);
/* ERR_CONFLICT when, after the changes so far, no active user is tenant admin for good. */
MUST_CHECK enum err principal_admin_remains(struct db *db);

#endif
