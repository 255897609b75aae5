/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OAUTH_LOGIN_COOKIE_H
#define OAUTH_LOGIN_COOKIE_H

#include "core/request.h"
#include "core/service.h"

/* What a federated sign-in must remember while the browser is at the provider. It is kept by the
 * browser itself, sealed, in a __Host- cookie: so the answer counts only in the browser that began
 * (against login CSRF), on any replica, and neither nonce nor verifier is ever in a URL. */
struct login_state {
    const char *tenant;
    const char *provider;
    const char *provider_id;
    const char *state;
    const char *nonce;
    const char *verifier;
    const char *back; /* path of a page of ours to go on to; NULL for none */
    int64_t expires;  /* seconds since 1970 */
};

enum { LOGIN_BACK_MAX = 1800 };
void login_cookie_start(const struct service *service);
MUST_CHECK enum err login_cookie_set(struct request *rq, const struct login_state *s,
                                     int64_t seconds);
void login_cookie_clear(struct request *rq);
/* ERR_NOT_FOUND when there is none that opens. */
MUST_CHECK enum err login_cookie_read(struct request *rq, struct login_state *out);

#endif
