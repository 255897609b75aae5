/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_LATTICE_H
#define ACCESS_LATTICE_H

#include "auth/access/condition.h"
#include "core/db.h"

/* The tenant's levels of classification, lowest first; in the arena. In a transaction of it. */
MUST_CHECK enum err lattice_load(struct db *db, struct levels *out);
/* Levels are only renamed or added above: what is labelled keeps its place. */
MUST_CHECK enum err lattice_put(struct db *db, const struct texts *levels);

#endif
