/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_VIEW_H
#define REGISTRY_VIEW_H

#include "core/request.h"

/* A search of the catalogue with a name: somebody's own, a project's or the tenant's. */
enum { VIEWS_MAX = 100 }; /* of one person, project or tenant */
struct view {
    const char *name;
    const char *shared; /* "private", "project", "tenant" */
    const char *description;
    const char *q;
    const char *kind;
    const char *tag;
    const char *project; /* that is searched in */
    const char *owner;
    int64_t revision;
    const char *updated_at;
};
extern const struct field view_fields[];

struct view_place {
    const char *shared;
    const char *id; /* of the principal, project or tenant */
};
/* By names, after; tenant: the tenant's too, or NULL. */
MUST_CHECK enum err view_list(struct db *db, const struct view_place *place, const char *tenant,
                              const char *after, int64_t limit, struct rows *out);
MUST_CHECK enum err view_find(struct db *db, const struct view_place *place, const char *name,
                              struct view *out);
MUST_CHECK enum err view_lock(struct db *db, const struct view_place *place, const char *name,
                              struct view *out);
/* ERR_TOO_LARGE past VIEWS_MAX. */
MUST_CHECK enum err view_insert(struct db *db, const struct view_place *place, const struct view *v,
                                const char *by);
MUST_CHECK enum err view_update(struct db *db, const struct view_place *place,
                                const struct view *v);
MUST_CHECK enum err view_delete(struct db *db, const struct view_place *place, const char *name);

#endif
