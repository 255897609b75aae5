/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DOCUMENT_DSSE_H
#define DOCUMENT_DSSE_H

#include "core/request.h"

/* DSSE v1 envelopes (github.com/secure-systems-lab/dsse), signed with the Ed25519 key of the
 * tenant's audit log; keyid is the key's "name+hash", as its vkey begins. */

enum { DSSE_MAX = 32 << 20 };

/* "DSSEv1 …": the bytes that are signed. */
void dsse_pae(struct text *out, const char *type, const void *payload, size_t length);

/* A new envelope. ERR_UNAVAILABLE before the tenant has a log. */
MUST_CHECK enum err dsse_sign(struct db *db, const char *type, const struct text *payload,
                              json_t **out);

#endif
