/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIGN_IN_KNOWN_BROWSER_H
#define SIGN_IN_KNOWN_BROWSER_H

#include "core/request.h"

/* A browser, or a program that keeps cookies, in which somebody has signed in to an account before.
 * It has a device cookie (OWASP, "Slow Down Online Guessing Attacks with Device Cookies"): a random
 * id, the time and a mark of the account under a MAC of the installation's key. It opens nothing:
 * it only says that guesses of others do not count here (auth/sign_in/delay.h). One cookie an
 * account, so that people may share a browser; good for KNOWN_DAYS, and new at each sign-in. */
enum { KNOWN_DAYS = 90 };

/* How tenant and user are called here and in struct attempt, whether they exist or not. */
const char *known_browser_account(struct arena *a, const char *tenant, const char *user);

/* This browser's id if it is known for the account, or, with NULL, for any; else NULL. No statement
 * and no hashing of passwords, so it may be asked on a network thread. */
const char *known_browser_id(struct request *rq, const char *account);

/* Somebody has just signed in. Keep cookies that the reply has already. */
void known_browser_set(struct request *rq, const char *tenant, const char *user);

#endif
