/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OAUTH_CLIENT_H
#define OAUTH_CLIENT_H

#include "auth/oauth/form.h"
#include "core/db.h"

/* A program that asks for tokens (RFC 6749 §2). Outside it is called "<tenant>/<name>", which no id
 * of a user can ever be. A confidential one acts as its service account, whose access tokens are
 * its secrets, or shows itself with a key of its jwks (private_key_jwt). */
#define GRANT_CODE     "authorization_code"
#define GRANT_REFRESH  "refresh_token"
#define GRANT_CLIENT   "client_credentials"
#define GRANT_DEVICE   "urn:ietf:params:oauth:grant-type:device_code"
#define GRANT_EXCHANGE "urn:ietf:params:oauth:grant-type:token-exchange"
#define GRANT_BEARER   "urn:ietf:params:oauth:grant-type:jwt-bearer" /* of workloads */

struct oauth_client {
    const char *tenant_id;
    const char *tenant;
    const char *id; /* of its row; NULL for a service account that is no client of its own */
    const char *client_id;
    const char *name;
    const char *display_name;
    const char *kind; /* "public" or "confidential" */
    struct texts redirect_uris;
    struct texts logout_uris;
    struct texts grants;
    const char *service_account; /* name; NULL for a public one */
    const char *account_id;
    const json_t *jwks;
    bool third_party;
    const char *created_at;
    int64_t secret_expires_ms; /* of the secret it has shown; 0 for none */
};
extern const struct field oauth_client_fields[]; /* of a reply */

/* Inside a transaction of the tenant. */
MUST_CHECK enum err oauth_client_find(struct db *db, const char *name, struct oauth_client *out);
MUST_CHECK enum err oauth_client_by_id(struct db *db, const char *id, struct oauth_client *out);
MUST_CHECK enum err oauth_client_list(struct db *db, const char *after, int64_t limit,
                                      struct rows *out);
MUST_CHECK enum err oauth_client_insert(struct db *db, const struct oauth_client *c,
                                        const char *by);
MUST_CHECK enum err oauth_client_delete(struct db *db, const char *name);

/* A client by what it calls itself: ERR_NOT_FOUND. Not inside a transaction that runs. */
MUST_CHECK enum err oauth_client_open(struct db *db, const char *client_id,
                                      struct oauth_client *out);
bool oauth_client_may(const struct oauth_client *c, const char *grant);
/* RFC 9700 §2.1: letter by letter; only the port of a loopback address is free (RFC 8252 §7.3). */
bool redirect_uri_matches(const struct texts *registered, const char *uri);
/* https, http on a loopback address, or a private scheme with a dot; no fragment, no blanks. */
bool redirect_uri_valid(const char *uri);

/* Which client asks, by client_secret_basic, client_secret_post, private_key_jwt or, if it is
 * public, its name alone. ERR_CREDENTIALS, the same for every reason. For TX_MANUAL routes. */
MUST_CHECK enum err oauth_client_identify(struct request *rq, const struct form *form,
                                          struct oauth_client *out);
/* An assertion (RFC 7523) by one of the client's keys; spends its jti. */
MUST_CHECK enum err client_assertion_check(struct request *rq, const struct oauth_client *c,
                                           const char *assertion);
/* What an assertion calls its client, before anything of it is believed; NULL for nonsense. */
const char *client_assertion_subject(struct arena *a, const char *assertion);

/* An OAuth refusal: its code (RFC 6749 §5.2 and others), and a sentence that names the parameter.
 */
enum err oauth_fail(struct request *rq, enum err e, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
