/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OAUTH_SCOPE_H
#define OAUTH_SCOPE_H

#include "auth/token.h"

/* What a token is for (RFC 6749 §3.3): openid, profile, email, offline_access; "chancery", all that
 * its bearer may; or actions by name ("assets/read"), and then it is good for these alone. A token
 * without "chancery" and without a scope at all differ: the latter is not limited. */
enum { SCOPE_MAX = 1000 };

/* Are all words known? NULL is. */
bool scope_valid(const char *scope);
bool scope_has(const char *scope, const char *word);
/* Does outer cover every word of inner? */
bool scope_within(const char *inner, const char *outer);
/* Limit claims to the actions of the scope, and to what it lets a client know; NULL limits nothing.
 */
void scope_limit(const char *scope, struct claims *claims);

#endif
