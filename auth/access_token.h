/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AUTH_ACCESS_TOKEN_H
#define AUTH_ACCESS_TOKEN_H

#include "auth/access/policy.h"
#include "auth/token.h"
#include "core/db.h"

/* Personal access tokens, which are also the secrets of service accounts: "chy_pat_", the 16 bytes
 * of the id in hexadecimal, 32 random bytes in base64url. The SHA-256 of the whole text is kept. */
#define ACCESS_TOKEN_PREFIX "chy_pat_"
enum {
    ACCESS_TOKEN_LENGTH = 8 + 32 + 43,
    ACCESS_TOKEN_S = 30 * 86400,
    ACCESS_TOKEN_MAX_S = 365 * 86400
};

struct access_token {
    const char *id;
    const char *name;
    const char *principal; /* name */
    const char *principal_id;
    const char *expires_at;
    const char *last_used_at; /* to the minute; NULL for never */
    const char *created_at;
    bool revoked;
};
extern const struct field access_token_fields[]; /* of a reply: no secret in it */

/* The text of a new token of this id, in the arena, and what of it is kept. */
const char *access_token_make(struct arena *a, const char *id, struct digest *hash);
/* Is this text a token in form? Then its id. */
bool access_token_parse(const char *text, char id[ID_SIZE]);

/* Whose token is this? Fills claims and gives the policy of its tenant, older than the look at the
 * token, which the caller drops. ERR_TOKEN when it is unknown, revoked or expired. Not inside a
 * transaction that is running. */
MUST_CHECK enum err access_token_open(struct db *db, const char *text, struct claims *claims,
                                      struct policy **policy);

/* The rest inside a transaction of the tenant. Newest first; by is the principal whose own tokens
 * and whose service accounts' tokens are meant. Revoked ones are not listed. */
MUST_CHECK enum err access_token_insert(struct db *db, const struct access_token *t,
                                        const struct digest *hash, int64_t seconds, const char *by);
MUST_CHECK enum err access_token_find(struct db *db, const char *id, struct access_token *out);
MUST_CHECK enum err access_token_list(struct db *db, const char *by, const char *before,
                                      int64_t limit, struct rows *out);
MUST_CHECK enum err access_token_revoke(struct db *db, const char *id);

#endif
