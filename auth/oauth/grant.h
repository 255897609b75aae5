/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OAUTH_GRANT_H
#define OAUTH_GRANT_H

#include "auth/oauth/client.h"
#include "auth/sign_in/login_session.h"

/* How each grant of the token endpoint ends: a client's session, and the tokens of it. */
enum err grant_code(struct request *rq, const struct form *f, const struct oauth_client *c);
enum err grant_refresh(struct request *rq, const struct form *f, const struct oauth_client *c);
enum err grant_client(struct request *rq, const struct form *f, const struct oauth_client *c);
enum err grant_device(struct request *rq, const struct form *f, const struct oauth_client *c);
enum err grant_exchange(struct request *rq, const struct form *f, const struct oauth_client *c);

#define REFRESH_PREFIX "chy_rt_"
#define CODE_PREFIX    "chy_ac_"
#define DEVICE_PREFIX  "chy_dc_"

/* Tokens of a session, after the commit. */
struct issue {
    const struct oauth_client *client;
    const struct login_session *session;
    const char *scope;   /* of the access token */
    const char *refresh; /* text; NULL for none */
    const char *nonce;   /* for the ID token; NULL for none */
};
enum err grant_reply(struct request *rq, const struct issue *i);
/* A session of the client that comes from the parent, with its first refresh token if the client
 * may have one (else *refresh is NULL). In a write transaction. */
MUST_CHECK enum err grant_begin(struct request *rq, const struct oauth_client *c,
                                const struct login_session *parent, const char *scope,
                                struct login_session *out, const char **refresh);
/* scope of the request or what it is by default; ERR_INVALID for words that are not known. */
MUST_CHECK enum err grant_scope(struct request *rq, const struct form *f, const char **scope);
/* What is refused here was stolen, perhaps: end the session although the request fails. */
MUST_CHECK enum err grant_end_session(struct request *rq, const char *tenant_id, const char *id,
                                      const char *why);
enum err grant_invalid(struct request *rq, const char *parameter, const char *why);
/* What the scope lets a client know of the caller; NULL all. */
MUST_CHECK enum err grant_person(struct request *rq, const char *scope, json_t *claims);

/* Authorization codes. */
struct authorization {
    const char *redirect_uri;
    const char *challenge;
    const char *nonce; /* NULL for none */
    const char *scope;
    const char *session_id; /* the browser's */
};
/* In a write transaction. */
MUST_CHECK enum err code_insert(struct db *db, const struct opaque *code,
                                const struct oauth_client *c, const struct authorization *a);

#endif
