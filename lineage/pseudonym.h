/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINEAGE_PSEUDONYM_H
#define LINEAGE_PSEUDONYM_H

#include "core/request.h"

/* A leaf stays for ever, so what an entry was about is said there with a person's id instead of the
 * name: users/ann becomes users/01932f…, whose name only the database knows; a name that nobody has
 * becomes users/unknown. The payload, which can be erased, says it as it was. Groups, roles and
 * service accounts are no persons. *out is object itself where it names nobody. caller may be NULL.
 */
MUST_CHECK enum err pseudonym_of(struct db *db, const struct caller *caller, const char *object,
                                 const char **out);

/* Whose key an entry about this object is sealed under as well, where object is as pseudonym_of
 * gives it: a person's id, "service-accounts/NAME", or NULL for nobody. See
 * lineage/privacy/subject_key.h. */
const char *pseudonym_subject(struct arena *a, const char *object);

#endif
