/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OAUTH_PROVIDER_H
#define OAUTH_PROVIDER_H

#include "core/db.h"

/* An external OpenID Connect provider of a tenant, where its people may sign in. */
struct provider {
    const char *id;
    const char *name;
    const char *issuer; /* compared byte for byte */
    const char *client_id;
    struct texts algorithms; /* of its ID tokens */
    const char *scopes;
    const char *acr_values;    /* words, of which one must be the acr of its ID tokens; NULL: any */
    const char *provisioning;  /* "jit" or "provisioned" */
    const char *subject_claim; /* of provisioned: equals a SCIM user's externalId */
    const char *group_claim;   /* NULL: groups are not taken from tokens */
    json_t *groups;            /* value of that claim to the name of a group */
    const char *created_by;    /* id */
    const char *created_at;
};
extern const struct field provider_fields[];
#define PROVIDER_PURPOSE "identity-provider"

/* All inside a transaction of the tenant. */
MUST_CHECK enum err provider_find(struct db *db, const char *name, struct provider *out);
MUST_CHECK enum err provider_list(struct db *db, const char *after, int64_t limit,
                                  struct rows *out);
MUST_CHECK enum err provider_insert(struct db *db, const struct provider *p);
MUST_CHECK enum err provider_delete(struct db *db, const char *id);

#endif
