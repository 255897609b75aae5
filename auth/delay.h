/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AUTH_DELAY_H
#define AUTH_DELAY_H

#include <stdint.h>

/* Sign-ins that failed, counted per (account, source) and per source: after a few free tries each
 * failure doubles the wait, up to a minute (per source five), so guessing is hopeless and nobody
 * can lock another out from elsewhere. Tables of fixed size: a flood of names costs no memory.
 * Thread-safe. */

/* Milliseconds to wait before this account may be tried from this source; 0 for none. It is asked
 * before any hashing, and the answer does not tell whether the account exists. */
int64_t delay_before(const char *account, const char *source, int64_t now_ms);
void delay_failed(const char *account, const char *source, int64_t now_ms);
void delay_succeeded(const char *account, const char *source);

#endif
