/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_DB_WIRE_H
#define CORE_DB_WIRE_H

#include "core/db.h"

/* A parameter as PostgreSQL's text format wants it (bytes stay as they are); NULL is SQL's NULL. In
 * the arena, or borrowed from the parameter. */
const char *db_param(struct arena *a, const struct param *p);

/* Into the connection's buffer. False when the connection is lost. */
bool db_send(struct db *db, const struct query *q, const struct param *params, size_t count);

extern const struct query db_set_tenant;
extern const struct query db_enter_tenant; /* the same under a guard */
extern const struct query db_hold_tenant;  /* and keeping the policy from changing */

/* What an SQLSTATE that is an answer means; false for one that is a failure. */
bool db_meaning(const char *sqlstate, enum err *e);

#endif
