/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIGN_IN_WEBAUTHN_H
#define SIGN_IN_WEBAUTHN_H

#include "core/arena.h"
#include "core/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The two ceremonies of a relying party (W3C Web Authentication Level 3, §7), without a database.
 * A credential is the JSON of a browser's PublicKeyCredential.toJSON() (§5.1.8); what else is in it
 * is passed over. ERR_CREDENTIALS, and *why says what is wrong: static text, for people too. */
enum { CREDENTIAL_JSON_MAX = 131072 };

struct webauthn_rules {
    const char *rp_id;       /* "chancery.example" */
    const char *origin;      /* "https://chancery.example:8443"; compared byte for byte */
    const char *challenge;   /* base64url */
    const char *user_handle; /* base64url */
};

/* Where a service of this URL is a relying party. ERR_CONFLICT: never, for its host is an address,
 * which is no domain (§5.1.2). Fills rp_id and origin. */
MUST_CHECK enum err webauthn_site(struct arena *a, const char *url, struct webauthn_rules *out);

struct webauthn_credential {
    const uint8_t *id;
    size_t id_length;
    const uint8_t *key; /* SubjectPublicKeyInfo, DER */
    size_t key_length;
    int64_t algorithm; /* COSE */
    int64_t counter;   /* of signatures; 0 where the authenticator keeps none */
    bool backup_eligible;
};

/* §7.1. Everything in *out is in the arena. */
MUST_CHECK enum err webauthn_register(struct arena *a, const struct webauthn_rules *r,
                                      const json_t *credential, struct webauthn_credential *out,
                                      const char **why);
/* The id that a credential has; false for nonsense. */
bool webauthn_id(struct arena *a, const json_t *credential, const uint8_t **id, size_t *length);
/* §7.2, under the credential of that id. *counter is what it says now. *cloned: everything fits,
 * but the counter has not grown (§6.1.1). */
struct webauthn_use {
    int64_t counter;
    bool cloned;
};
MUST_CHECK enum err webauthn_assert(struct arena *a, const struct webauthn_rules *r,
                                    const json_t *credential,
                                    const struct webauthn_credential *known,
                                    struct webauthn_use *out, const char **why);

#endif
