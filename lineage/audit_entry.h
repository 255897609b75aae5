/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINEAGE_AUDIT_ENTRY_H
#define LINEAGE_AUDIT_ENTRY_H

#include "core/arena.h"
#include "lineage/audit.h"
#include "lineage/merkle.h"

/* What an entry is made of, as bytes. Knows no database. */

enum { AUDIT_SALT = 32, AUDIT_BODY_MAX = 32 << 10 };

/* Ready to be stored; texts are in the arena or borrowed from the event. */
struct audit_made {
    char id[ID_SIZE];
    char at[TIME_SIZE];
    const char *actor; /* NULL for nobody */
    const char *project;
    const char *object;
    const char *leaf; /* canonical JSON (RFC 8785) */
    struct digest hash;
    uint8_t salt[AUDIT_SALT];
    const char *payload; /* canonical JSON */
};

void audit_make(struct arena *a, const char *tenant_id, const struct audit_event *event,
                struct audit_made *out);

/* An entry as it is stored. Digests and salt are lower-case hexadecimal. */
struct audit_row {
    int64_t seq;
    int64_t index; /* in the tree; -1 while it is not there yet */
    int64_t at_ms;
    const char *id;
    const char *actor;
    const char *action;
    const char *project;
    const char *object;
    const char *outcome;
    const char *request;
    const char *leaf;
    const char *leaf_hash;
    const char *hash;   /* what the tree has at index; NULL for nothing */
    const char *sealed; /* NULL when the payload was erased; with its keys, see privacy/payload.h */
    const char *key_id;
    const char *key_subject; /* NULL: there is no such key */
    const char *key_wrapped; /* NULL: it was destroyed */
    const char *about_id;    /* NULL: it is under one key only */
    const char *about_subject;
    const char *about_wrapped;
    const char *salt;    /* opened by privacy/payload.h; NULL when the payload was erased */
    const char *payload; /* likewise */
    bool spoilt;         /* what there is does not open, or the row is gone */
};
extern const struct field audit_row_fields[];

/* What does not fit: "leaf" (not what the receipt was given for), "tree" (the tree holds another),
 * "columns" (the row is filed under what its leaf does not say), "payload" (not the one the leaf
 * binds). NULL when all is well. *leaf is the parsed leaf, owned by the arena; NULL if not JSON. */
const char *audit_fault(struct arena *a, const struct audit_row *row, json_t **leaf);

#endif
