/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIGN_IN_NEW_PASSWORD_H
#define SIGN_IN_NEW_PASSWORD_H

#include "core/request.h"

/* A password that somebody wants to have, as a PHC text: long enough (OWASP ASVS 5.0, 6.2.1 and
 * 6.2.9), without rules about what it is made of (6.2.5), and not among those that are known to
 * attackers (6.2.12). ERR_INVALID names the member. */
MUST_CHECK enum err new_password(struct request *rq, const char *member, const char *password,
                                 const char **phc);

#endif
