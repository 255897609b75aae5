/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MLFLOW_MULTIPART_H
#define MLFLOW_MULTIPART_H

#include "registry/mlflow/artifact.h"

/* An artifact on its way in numbered parts, as MLflow's clients send large ones (…/mpu/…). Each
 * part is at once a content of the store; completing joins them to one more. A part is sent without
 * an access token: its address holds a ticket, sealed and bound to upload, part, tenant, sender and
 * expiry, which is good for one part that arrives whole. */
enum { MULTIPART_PARTS_MAX = 10000, MULTIPART_HOURS = 6 };

struct multipart {
    const char *id;
    int64_t parts; /* announced */
    const char *path;
};

struct multipart_part {
    int64_t part;
    const char *sha256;
    int64_t size;
};

/* For place p; in a TX_WRITE. */
MUST_CHECK enum err multipart_create(struct db *db, const char *project_id,
                                     const struct artifact_place *p, const struct multipart *m,
                                     const char *by);
/* Of that place, begun by that principal, not expired. ERR_NOT_FOUND. Locked in a TX_WRITE. */
MUST_CHECK enum err multipart_find(struct db *db, const struct artifact_place *p, const char *id,
                                   const char *by, struct multipart *out);
/* A part that arrived: ERR_NOT_FOUND when the upload is over or has no such part, ERR_CONFLICT when
 * it came already. TX_WRITE. */
MUST_CHECK enum err multipart_put(struct db *db, const char *id, const char *by,
                                  const struct multipart_part *part, const char *local_path);
/* As struct multipart_part, in order. */
MUST_CHECK enum err multipart_parts(struct db *db, const char *id, struct rows *out);
/* Forget it; the contents of its parts are collected. ERR_NOT_FOUND. */
MUST_CHECK enum err multipart_delete(struct db *db, const char *id);

/* The key tickets are sealed with; once, before any request. */
void multipart_start(const unsigned char *key);
/* Before a part's body is read: who sends it, by the ticket of the path. ERR_TOKEN. */
MUST_CHECK enum err multipart_admit(struct request *rq);

#endif
