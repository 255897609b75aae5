/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIGN_IN_TOTP_H
#define SIGN_IN_TOTP_H

#include <stddef.h>
#include <stdint.h>

/* Time-based one-time passwords (RFC 6238): HMAC-SHA-1, 30 s, 6 digits, as every app knows them. */
enum { TOTP_SECRET = 20, TOTP_STEP_S = 30, TOTP_DIGITS = 6 };

/* digits gets "287082" and NUL. */
void totp_code(const uint8_t *secret, size_t length, int64_t step, char digits[TOTP_DIGITS + 1]);
/* The step, within one of now's and later than last, whose code this is; -1 for none. */
int64_t totp_match(const uint8_t *secret, size_t length, int64_t now_s, int64_t last,
                   const char *code);

#endif
