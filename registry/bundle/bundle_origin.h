/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUNDLE_BUNDLE_ORIGIN_H
#define BUNDLE_BUNDLE_ORIGIN_H

#include "core/request.h"
#include "lineage/note.h"

/* Whose bundles the tenant takes: a name of our own for the key of another installation's log. A
 * log whose key was replaced is trusted again under a second name. */
struct bundle_origin {
    const char *name;
    const char *vkey;
    const char *added_by;
    const char *added_at;
};

extern const struct field bundle_origin_fields[];

MUST_CHECK enum err bundle_origin_list(struct db *db, struct rows *out);
MUST_CHECK enum err bundle_origin_find(struct db *db, const char *name, struct bundle_origin *out);
/* Made, or its key replaced. ERR_EXISTS when another name has the key. */
MUST_CHECK enum err bundle_origin_put(struct db *db, const char *name, const char *vkey,
                                      const char *by);
MUST_CHECK enum err bundle_origin_delete(struct db *db, const char *name);
/* All keys, in the arena. */
MUST_CHECK enum err bundle_origin_keys(struct db *db, struct note_key **keys, size_t *count);

#endif
