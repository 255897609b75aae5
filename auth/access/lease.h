/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_LEASE_H
#define ACCESS_LEASE_H

#include <stdbool.h>
#include <stdint.h>

/* The right of this process to allow from memory. It is written into the table replica for LEASE_MS
 * of the database's clock, and believed here for less, counted from before it was asked for: so it
 * is over here first, even where the database's clock is set forward a little, or where the
 * database crashes and forgets what it was told last (by WAL_LOSS_MS; a lease is not flushed). A
 * change of policy is acknowledged when every replica has seen it or has no lease any more. Whoever
 * allows asks lease_live before it looks at a policy in memory, at every request, so that a process
 * that stood still cannot go on as if nothing had been. (Gray, Cheriton: Leases, SOSP 1989.) */
enum { LEASE_MS = 2000, LEASE_TRUST_MS = 1000, LEASE_RENEW_MS = 300, WAL_LOSS_MS = 600 };
_Static_assert(LEASE_TRUST_MS + LEASE_RENEW_MS + WAL_LOSS_MS <= LEASE_MS,
               "after a crash of the database a lease is over there before it is over here");

/* Milliseconds of a clock that is never set and also goes on while the machine sleeps. */
int64_t lease_clock(void);
bool lease_live(void);
/* When it will be over, by that clock; 0 when it is. */
int64_t lease_until(void);
/* Every policy change that was committed before the lease was written, which was asked for at that
 * time, is known here. */
void lease_hold(int64_t asked_ms);
void lease_end(void);

#endif
