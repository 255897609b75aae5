/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PRIVACY_REMARK_H
#define PRIVACY_REMARK_H

#include "lineage/privacy/subject_key.h"

/* A sentence that somebody wrote into a row of the audit tables, sealed under a key of theirs and
 * bound to the row's id: with the key, it goes. */

struct sealed_remark {
    char key_id[ID_SIZE];
    const uint8_t *bytes;
    size_t length;
};

/* In TX_WRITE. Errors are subject_key_take's. */
MUST_CHECK enum err remark_seal(struct db *db, const char *subject, const char *row_id,
                                const char *text, struct sealed_remark *out);

/* As the database has it; all hexadecimal but the ids. */
struct remark_row {
    const char *id;
    const char *sealed;
    const char *key_id;
    const char *key_subject;
    const char *key_wrapped; /* NULL: destroyed */
};
/* *text is NULL when the key is gone or the row is not as it was made. */
MUST_CHECK enum err remark_open(struct db *db, const struct remark_row *row, const char **text);

#endif
