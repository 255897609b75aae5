/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/lease.h"

#include <stdatomic.h>
#include <time.h>

static atomic_llong until_ms;

int64_t lease_clock(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_BOOTTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The clock is read last: whoever stops between the two sees the later time. */
int64_t lease_until(void)
{
    int64_t until = atomic_load(&until_ms);

    return lease_clock() < until ? until : 0;
}

bool lease_live(void)
{
    return lease_until() != 0;
}

void lease_hold(int64_t asked_ms)
{
    atomic_store(&until_ms, asked_ms + LEASE_TRUST_MS);
}

void lease_end(void)
{
    atomic_store(&until_ms, 0);
}
