/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OAUTH_AUTHORIZE_H
#define OAUTH_AUTHORIZE_H

#include "auth/oauth/grant.h"
#include "auth/sign_in/page.h"

/* A request for an authorization code (RFC 6749 §4.1, OpenID Connect Core §3.1.2). */
struct authorize {
    struct form form; /* the parameters, from the query or from our own page */
    struct oauth_client client;
    struct authorization want;
    const char *state;
    const char *prompt;
    const char *acr;
    int64_t max_age; /* seconds; -1 for any */
    bool signed_in;
    struct login_session session;
    struct opaque cookie; /* of a session that begins now; text NULL for none */
    struct sign_in who;
    const char *code;
    bool consented; /* now */
};

/* Names of the parameters that a page carries along. */
extern const char *const authorize_parameters[];

/* Read the parameters. Before redirect_uri is known to be the client's, what is wrong is shown to
 * the person (an error with a page); after it, *error is the code to send back, and detail says. */
MUST_CHECK enum err authorize_read(struct request *rq, struct authorize *z, const char **error);
/* 303 to the client with an error, or with z->code. */
enum err authorize_answer(struct request *rq, const struct authorize *z, const char *error);
/* Must the person be asked to sign in (again)? */
bool authorize_needs_sign_in(const struct authorize *z);
/* Is a session whose second factor was shown then (0: never) too weak for acr_values? */
bool authorize_is_weak(const struct authorize *z, int64_t mfa_ms);
MUST_CHECK enum err authorize_needs_consent(struct request *rq, const struct authorize *z,
                                            bool *out);
enum err authorize_sign_in_page(struct request *rq, const struct authorize *z, unsigned status,
                                const char *alert);
enum err authorize_consent_page(struct request *rq, const struct authorize *z);
/* Session, consent and code, in one transaction with the audit entry; fills z->code. */
MUST_CHECK enum err authorize_commit(struct request *rq, struct authorize *z);

/* A person who signs in on a page of ours: tenant, user, password, code (second factor); or, when a
 * passkey was asked for, tenant, ceremony and credential. ERR_STEP_UP: who->ceremony is what to ask
 * for on the page, NULL for a code. */
MUST_CHECK enum err authorize_sign_in(struct request *rq, const struct form *f,
                                      struct sign_in *who);
/* Is the page to be shown again? */
bool authorize_asks_again(enum err e);
/* The inputs for that. tenant NULL: it is asked for. */
void authorize_inputs(struct text *t, const char *tenant, const char *user);
/* How a page with such forms ends: it has a script only when a passkey is asked for. */
enum err authorize_send_page(struct request *rq, struct text *t, unsigned status, const char *next,
                             const struct sign_in *who);

#endif
