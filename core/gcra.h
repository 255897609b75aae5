/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_GCRA_H
#define CORE_GCRA_H

#include <stdint.h>

/* Rates by the generic cell rate algorithm (ITU-T I.371): of each key one time is kept, up to which
 * it has used what it is given. The times are in a table of fixed size, as in a count-min sketch
 * (Cormode and Muthukrishnan 2005) with conservative update: a key has a cell in each of four rows
 * and its time is the earliest of them. No key is stored, nothing is ever thrown out or grows, and
 * where keys collide in all four rows the table is too strict, never too lax. Thread-safe. */
struct gcra_table;

/* What a key is given: a unit every interval_ns, and burst_ns worth of units at once. */
struct gcra {
    int64_t interval_ns;
    int64_t burst_ns;
};

/* cells: of each row, rounded up to a power of two, at most 65536; 32 bytes a cell. Aborts when
 * there is no memory. */
struct gcra_table *gcra_new(unsigned cells);
void gcra_free(struct gcra_table *t);

/* Nanoseconds until this key may use units again; 0 for now. */
int64_t gcra_wait(struct gcra_table *t, uint64_t key, const struct gcra *g, int64_t now_ns);
/* The same, and use them if they may be. The last may go over the burst, however large it is. */
int64_t gcra_take(struct gcra_table *t, uint64_t key, const struct gcra *g, int64_t units,
                  int64_t now_ns);

/* A clock that never goes back. */
int64_t gcra_now(void);

#endif
