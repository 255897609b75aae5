/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIGN_IN_LOGIN_SESSION_H
#define SIGN_IN_LOGIN_SESSION_H

#include "auth/oauth/opaque.h"
#include "auth/sign_in/sign_in.h"
#include "core/request.h"

/* Somebody has signed in. Access tokens name their session and die with it, at once. */
#define COOKIE_NAME   "__Host-chancery"
#define COOKIE_PREFIX "chy_bs_"
enum { BROWSER_S = 12 * 3600, FAMILY_S = 30 * 86400 };

struct login_session {
    const char *id;
    const char *principal_id;
    const char *kind;      /* "password", "federated", "browser" or "client" */
    const char *parent_id; /* the browser session a client's comes from; NULL for none */
    const char *client_id; /* row id; NULL unless kind is "client" */
    const char *client;    /* its name */
    const char *scope;
    const char *hash; /* of the cookie, hexadecimal */
    const char *amr;  /* how, separated by blanks (RFC 8176) */
    int64_t auth_ms;  /* when */
    int64_t mfa_ms;   /* with a second factor; 0 for none */
    const char *remote;
    const char *agent;
    const char *created_at;
    const char *expires_at;
    int64_t expires_ms;
    bool current; /* of a reply: the session that asks */
};
extern const struct field login_session_fields[]; /* of a reply */

/* Inside a transaction of the tenant. */
MUST_CHECK enum err login_session_insert(struct db *db, const struct login_session *s,
                                         const struct digest *cookie, int64_t seconds);
/* One that goes on; ERR_NOT_FOUND for one that has ended. */
MUST_CHECK enum err login_session_find(struct db *db, const char *id, struct login_session *out);
MUST_CHECK enum err login_session_list(struct db *db, const char *principal_id, const char *before,
                                       int64_t limit, struct rows *out);
/* With all that come from it. Moves the tenant's epoch. */
MUST_CHECK enum err login_session_end(struct db *db, const char *id, const char *why);
/* All of a principal; except: the id of one that stays, with its browser; NULL for none. */
MUST_CHECK enum err login_session_end_all(struct db *db, const char *principal_id,
                                          const char *except, const char *why);
/* The provider at which this session's person was signed in, and its sid (NULL for none). */
MUST_CHECK enum err login_session_from(struct db *db, const char *id, const char *provider_id,
                                       const char *sid);
/* All that come from the provider: of this sid and this principal, of whom one may be NULL; of both
 * NULL all. *ended may be NULL. */
MUST_CHECK enum err login_session_end_from(struct db *db, const char *provider_id, const char *sid,
                                           const char *principal_id, int64_t *ended);
MUST_CHECK enum err login_session_factor(struct db *db, const char *id, const char *amr);

/* Does it go on, and is it this principal's? ERR_NOT_FOUND. Not inside a transaction that runs. */
MUST_CHECK enum err login_session_alive(struct db *db, const char *tenant_id, const char *id,
                                        const char *principal_id);

/* A session of the request's caller: kind is "password", "federated" or "browser". For request_tx
 * bodies. */
MUST_CHECK enum err login_session_begin(struct request *rq, const struct sign_in *who,
                                        const char *kind, struct opaque *handle);
/* Whose browser is it? ERR_NOT_FOUND for nobody's. Not inside a transaction that runs. On OK
 * rq->caller and the request's session say who. */
MUST_CHECK enum err login_session_of_browser(struct request *rq, struct login_session *out);
void login_session_set_cookie(struct request *rq, const char *value); /* NULL takes it away */

/* The request is this principal's from now on: ERR_TOKEN when that one is disabled or gone, or was
 * signed out everywhere since session (id; NULL: whoever has just shown who it is) began. */
MUST_CHECK enum err login_session_enter(struct request *rq, const char *tenant_id,
                                        const char *principal_id, const char *session);

#endif
