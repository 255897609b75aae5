/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PRIVACY_PAYLOAD_H
#define PRIVACY_PAYLOAD_H

#include "lineage/audit_entry.h"
#include "lineage/privacy/subject_key.h"

/* What an entry says, as the database keeps it: salt and payload under AES-256-GCM, bound to
 * tenant, entry and leaf. The key is made of two subjects' keys, of who acted and of whom it is
 * about, so that destroying either silences the entry. */

struct sealed_payload {
    char key_id[ID_SIZE];
    char about_id[ID_SIZE]; /* with two keys: not when it is about who acted, or about nobody */
    size_t keys;
    const uint8_t *bytes;
    size_t length;
};

/* In TX_WRITE of db->tenant. Errors are subject_key_take's. */
MUST_CHECK enum err payload_seal(struct db *db, const struct audit_made *m,
                                 struct sealed_payload *out);
/* Sets the rows' salt and payload, or spoilt for what is missing or does not open. Rows whose key
 * is destroyed stay without, as erased ones do. ERR_UNAVAILABLE when the installation's key cannot
 * be had. */
MUST_CHECK enum err payload_open(struct db *db, struct audit_row *rows, size_t count);
/* Whose key's destruction silenced what the row still has; NULL when none did. */
const char *payload_silenced(const struct audit_row *row);

#endif
