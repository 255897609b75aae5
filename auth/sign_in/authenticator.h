/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIGN_IN_AUTHENTICATOR_H
#define SIGN_IN_AUTHENTICATOR_H

#include "auth/keys/public_key.h"
#include "core/cbor.h"
#include "core/crypto.h"

/* What authenticators write (Web Authentication Level 3, §6): every byte is accounted for, and
 * nothing may follow. All spans are borrowed from the input. */

/* COSE algorithms that are offered (RFC 9053, RFC 8812), best first. */
enum { COSE_ES256 = -7, COSE_EDDSA = -8, COSE_RS256 = -257, COSE_COUNT = 3 };
extern const int64_t cose_offered[COSE_COUNT];
enum { CREDENTIAL_ID_MIN = 16, CREDENTIAL_ID_MAX = 1023 };

struct authenticator_data {
    struct digest rp_id_hash;
    bool user_present;
    bool user_verified;
    bool backup_eligible;
    int64_t counter;
    bool attested;     /* a new credential is in it: the rest is filled */
    const uint8_t *id; /* of the credential */
    size_t id_length;
    struct cbor key; /* COSE_Key */
};

/* ERR_INVALID, and *why says what is wrong: static text. So for the others. */
MUST_CHECK enum err authenticator_data_read(const uint8_t *data, size_t length,
                                            struct authenticator_data *out, const char **why);

/* An attestation object: its parts, and the bytes of its authenticator data, which are signed. */
struct attestation {
    struct authenticator_data data;
    const uint8_t *bytes;
    size_t length;
    struct cbor format;
    struct cbor statement;
};
MUST_CHECK enum err attestation_read(const void *data, size_t length, struct attestation *out,
                                     const char **why);
/* Formats "none" and, signed with the new key itself, "packed". Certificates are refused: there is
 * nobody here who would say whose to trust. */
MUST_CHECK enum err attestation_check(const struct attestation *t, EVP_PKEY *key, int64_t alg,
                                      const struct digest *client_data, const char **why);

/* The key of an offered algorithm, with exactly the members it needs; the caller frees *key. */
MUST_CHECK enum err cose_key_read(struct cbor cose, EVP_PKEY **key, int64_t *alg, const char **why);

/* What authenticators sign: their data and the SHA-256 of the client's. */
struct signed_data {
    const uint8_t *bytes;
    size_t length;
    const struct digest *client_data;
};
bool authenticator_signed(EVP_PKEY *key, int64_t alg, const struct signed_data *what,
                          const uint8_t *signature, size_t signature_length);

#endif
