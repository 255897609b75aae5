/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMPUTE_ENDPOINT_H
#define COMPUTE_ENDPOINT_H

#include "core/request.h"

/* A name that answers inference requests with the version deployed to it. */
struct endpoint {
    const char *id;
    const char *project;
    const char *name;
    const char *description;
    const char *deployment; /* id of the current one, or NULL */
    const char *version;    /* models/risk/versions/3, or NULL */
    const char *state;      /* serving, revoked or empty */
    int64_t revision;
    const char *created_by;
    const char *created_at;
};

/* From when to when an endpoint served a version. */
struct deployment {
    const char *id;
    const char *endpoint;
    const char *version;
    const char *approval;
    const char *digest; /* of the version, hexadecimal */
    const char *state;  /* serving, ended or revoked */
    const char *deployed_by;
    const char *deployed_at;
    const char *ended_at;
};

extern const struct field endpoint_fields[];
extern const struct field deployment_fields[];

MUST_CHECK enum err endpoint_find(struct db *db, const char *project_id, const char *name,
                                  struct endpoint *out);
/* The same, locked until the end of the transaction. */
MUST_CHECK enum err endpoint_lock(struct db *db, const char *project_id, const char *name,
                                  struct endpoint *out);
/* Names after a name, in order. */
struct readable;
MUST_CHECK enum err endpoint_list(struct db *db, const char *project_id,
                                  const struct readable *readable, const char *after, int64_t limit,
                                  struct rows *out);
/* A deleted endpoint of that name comes back to life, with its history. */
MUST_CHECK enum err endpoint_create(struct db *db, const char *id, const char *project_id,
                                    const char *name, const char *description, const char *by);
MUST_CHECK enum err endpoint_describe(struct db *db, const char *id, const char *description);
MUST_CHECK enum err endpoint_delete(struct db *db, const char *id);

/* End what the endpoint serves now; OK when it serves nothing. */
MUST_CHECK enum err deployment_end(struct db *db, const char *endpoint_id);
/* ERR_UNAPPROVED (from the database) unless approval covers exactly this digest now. */
MUST_CHECK enum err deployment_insert(struct db *db, const char *id, const char *endpoint_id,
                                      const char *version_id, const char *approval_id,
                                      const char *by);
MUST_CHECK enum err deployment_find(struct db *db, const char *id, struct deployment *out);
MUST_CHECK enum err deployment_list(struct db *db, const char *endpoint_id, const char *before,
                                    int64_t limit, struct rows *out);

/* The approval under which a version may be used now: promoted, in force, of the same digest.
 * ERR_UNAPPROVED when there is none. */
MUST_CHECK enum err approval_in_force(struct db *db, const char *version_id, const char **id);

/* What an inference request needs to know, read anew for each: that is why a revocation holds at
 * once, on every replica. ERR_NOT_FOUND without endpoint, ERR_UNAPPROVED when what is deployed is
 * no longer approved, ERR_UNAVAILABLE when nothing is deployed. */
struct target {
    const char *deployment_id;
    const char *model;   /* the asset's name */
    const char *version; /* models/risk/versions/3 */
    const char *sha256;  /* of model.onnx, hexadecimal */
    const char *digest;
    bool in_force;
    bool ended; /* it was taken off the endpoint, and nothing came after it */
};
MUST_CHECK enum err endpoint_target(struct request *rq, const char *project_id, const char *name,
                                    struct target *out);

#endif
