/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OAUTH_OPAQUE_H
#define OAUTH_OPAQUE_H

#include "core/crypto.h"
#include "core/text.h"

/* Codes, refresh tokens and cookies: a prefix, then base64url of the tenant's id, the row's id and
 * 32 secret bytes, so that whoever holds one finds its row without a search across tenants. Of the
 * whole text the SHA-256 is kept. */
struct opaque {
    char tenant_id[ID_SIZE];
    char id[ID_SIZE];
    const char *text;
    struct digest hash;
};

enum { OPAQUE_MAX = 128 };

/* key: SEAL_KEY bytes of the installation; a key of our own is derived from it. */
void opaque_start(const uint8_t *key);
/* A new one, with a new id. tenant_id is a UUID. */
void opaque_make(struct arena *a, const char *prefix, const char *tenant_id, struct opaque *out);
/* The same each time for an id; nobody without the installation's key can make it. */
void opaque_derive(struct arena *a, const char *prefix, const char *tenant_id, const char *id,
                   struct opaque *out);
/* Is this one in form? text is borrowed. */
bool opaque_parse(const char *prefix, const char *text, struct opaque *out);
/* A key for seal(), for this purpose and no other. */
void opaque_key(const char *purpose, uint8_t out[SEAL_KEY]);
/* base64url of a MAC over the text, for this purpose and no other. */
const char *opaque_mac(struct arena *a, const char *purpose, const char *text);

#endif
