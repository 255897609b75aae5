/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIGN_IN_PASSWORD_H
#define SIGN_IN_PASSWORD_H

#include "core/arena.h"
#include "core/err.h"

#include <stdbool.h>

/* Argon2id (RFC 9106) in PHC form: 46 MiB, one pass, one lane. At most two hashes are made at once
 * and sixteen wait: beyond that ERR_RATE, so guessers cannot take the memory or both cores. Whoever
 * is known goes ahead of all who are not, who have one of the two at most, and has sixteen places
 * to wait of its own. */
enum { PASSWORD_MIN = 12, PASSWORD_MAX = 256 };

MUST_CHECK enum err password_hash(struct arena *a, const char *password, const char **phc);

enum password_turn { PASSWORD_IN_TURN, PASSWORD_AHEAD };

/* OK or ERR_CREDENTIALS. phc NULL stands for whoever does not exist or has no password: it takes
 * the same time, and never fits. */
MUST_CHECK enum err password_check(const char *phc, const char *password, enum password_turn turn);

#endif
