/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINEAGE_WITNESS_H
#define LINEAGE_WITNESS_H

#include "core/db.h"
#include "core/service.h"
#include "lineage/log.h"

/* Witnesses (C2SP tlog-witness, tlog-cosignature): services elsewhere that sign that they saw a
 * checkpoint, and that never saw one it does not continue. Rows of db->tenant. */

struct witness {
    const char *name;
    const char *vkey; /* of type 0x04 */
    const char *url;  /* submission prefix */
    int64_t size;     /* of what it cosigned last */
    const char *problem;
    const char *tried_at;
};
extern const struct field witness_view_fields[];

MUST_CHECK enum err witness_list(struct db *db, struct rows *out);
MUST_CHECK enum err witness_put(struct db *db, const struct witness *w);
MUST_CHECK enum err witness_delete(struct db *db, const char *name);
/* Those that have not cosigned the log's checkpoint and are to be asked now; each is claimed for a
 * while. */
MUST_CHECK enum err witness_claim(struct db *db, const struct log *l, struct rows *out);
/* Its signature line under the log's checkpoint. */
MUST_CHECK enum err witness_cosigned(struct db *db, const struct log *l, const struct witness *w,
                                     const char *line);
/* It says that it saw this size last. */
MUST_CHECK enum err witness_saw(struct db *db, const struct witness *w, int64_t size);
MUST_CHECK enum err witness_postpone(struct db *db, const struct witness *w, const char *problem);

/* A key of type 0x04, timestamped Ed25519 (C2SP tlog-cosignature v1). */
struct witness_key {
    char name[NOTE_NAME_MAX + 1];
    uint8_t id[4];
    uint8_t public[ED25519_KEY];
};
bool witness_key_parse(const char *vkey, struct witness_key *out);
/* The line ("— name base64\n") among lines that is this key's right signature under the note; in
 * the arena, NULL for none. */
const char *witness_line(struct arena *a, const struct witness_key *key, const char *note,
                         const char *lines);
/* https anywhere, http on the loopback only. */
bool witness_url_valid(const char *url);

/* The thread that asks witnesses. */
MUST_CHECK enum err notary_start(const struct service *service);
void notary_stop(void);

/* Signature lines, each ended, of witnesses under the log's checkpoint; "" for none. */
MUST_CHECK enum err witness_lines(struct db *db, const struct log *l, const char **out);

#endif
