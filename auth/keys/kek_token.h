/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYS_KEK_TOKEN_H
#define KEYS_KEK_TOKEN_H

#include "core/crypto.h"

/* A key encryption key that lives on a PKCS#11 token (OASIS, version 2.40) and never leaves it:
 * what is wrapped goes to the token and comes back. It is named by a URI (RFC 7512), of which
 * token, object, id, serial, … must fit exactly one key; the query may have module-path=FILE the
 * token's library; else those that p11-kit is set up with pin-source=file:FILE  whose first line is
 * the PIN; pin-value is refused, as everybody sees it The key is AES of 256 bits, sensitive and not
 * extractable, for CKM_AES_GCM. A wrapped key has the form that seal() (core/crypto.h) gives, and
 * is bound to its place alike.
 *
 * One session, one call at a time; a session that has ended is opened anew. A PIN that was refused
 * is not shown again, since tokens lock themselves. Thread-safe. */
struct kek_token;

enum { KEK_TOKEN_WRAPPED = SEAL_KEY + SEAL_OVERHEAD };

/* Finds the key, and wraps and unwraps once to see that it can. ERR_INVALID or ERR_UNAVAILABLE with
 * the reason in the log. kek_token_close frees. */
MUST_CHECK enum err kek_token_open(const char *uri, struct kek_token **out);
void kek_token_close(struct kek_token *t);
/* What the key is called on its token (CKA_LABEL and CKA_ID), so that a copy of the token will do.
 */
struct digest kek_token_name(const struct kek_token *t);
/* ERR_UNAVAILABLE: the token does not answer (logged). ERR_INTERNAL: the token refuses; of
 * kek_token_unwrap, also what was not wrapped by it for this place. */
MUST_CHECK enum err kek_token_wrap(struct kek_token *t, const char *place, const uint8_t *key,
                                   uint8_t *wrapped);
MUST_CHECK enum err kek_token_unwrap(struct kek_token *t, const char *place, const uint8_t *wrapped,
                                     uint8_t *key);

#endif
