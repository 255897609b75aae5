/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_TRANSFER_H
#define REGISTRY_TRANSFER_H

#include "core/crypto.h"
#include "core/db.h"

/* A file on its way in pieces (routes …/uploads). What has arrived is in the spool file of its id,
 * which always holds at least the received bytes; what lies beyond them is not counted. */
struct transfer {
    const char *id;
    const char *path;
    int64_t size;
    int64_t received;
    const char *sha256; /* hexadecimal, as announced, or NULL */
    const char *expires_at;
};

extern const struct field transfer_fields[];

MUST_CHECK enum err transfer_find(struct db *db, const char *version_id, const char *id,
                                  struct transfer *out);
MUST_CHECK enum err transfer_create(struct db *db, const char *version_id, const struct transfer *t,
                                    const char *by);
/* The count of bytes received goes from t->received to received: ERR_CONFLICT when it is another.
 */
MUST_CHECK enum err transfer_advance(struct db *db, const struct transfer *t, int64_t received);
MUST_CHECK enum err transfer_delete(struct db *db, const char *id);

/* The spool file, made if need be and locked against other writers, so that the row is read anew
 * after it. ERR_BUSY when someone else writes; the caller closes *fd. */
MUST_CHECK enum err transfer_open(const char *tenant, const char *id, int *fd);
/* Cut it to the bytes that were received and stand at its end. ERR_NOT_FOUND when it holds fewer.
 */
MUST_CHECK enum err transfer_cut(int fd, int64_t received);
/* Append size bytes of the file at path, durably. */
MUST_CHECK enum err transfer_append(int fd, const char *path, int64_t size);
/* Append size bytes that are read from another open file. */
MUST_CHECK enum err transfer_append_fd(int fd, int from, int64_t size);
/* The digest of the whole spool file. */
MUST_CHECK enum err transfer_digest(int fd, struct digest *out);
void transfer_discard(const char *tenant, const char *id);

#endif
