/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIGN_IN_DELAY_H
#define SIGN_IN_DELAY_H

#include <stdint.h>

/* Guesses that failed. After a few free tries each failure doubles the wait, up to a minute, so
 * that guessing is hopeless; who it is that waits decides that nobody can keep another out:
 * - a browser that has signed in to the account before (auth/sign_in/known_browser.h) has a counter
 * of its own, which nobody else's failures touch;
 * - everybody else is counted per (account, source), per source (a hundred free, up to five
 *   minutes), and per account from anywhere (a hundred free: NIST SP 800-63B §5.2.2).
 * Tables of fixed size: a flood of names costs no memory. Thread-safe. */
struct attempt {
    const char *account;
    const char *source; /* core/source.h; NULL: the account is counted alone */
    const char *known;  /* the browser's id; NULL: not known */
};

/* Milliseconds to wait before this may be tried; 0 for none. It is asked before any hashing, and
 * the answer does not tell whether the account exists. */
int64_t delay_before(const struct attempt *a, int64_t now_ms);
void delay_failed(const struct attempt *a, int64_t now_ms);
/* The counters that others share stay: one good password among many guesses proves nothing. */
void delay_succeeded(const struct attempt *a);

/* What whoever is not known has to wait from this source, whatever the account. */
int64_t delay_of_source(const char *source, int64_t now_ms);

#endif
