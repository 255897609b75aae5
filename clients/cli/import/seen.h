/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMPORT_SEEN_H
#define IMPORT_SEEN_H

#include <stdbool.h>
#include <stddef.h>

/* A set of byte strings, kept as 16 bytes of their SHA-256 each: what a list has named already, and
 * the values of a metric on either side. Two sets of the same size of which one holds every member
 * of the other are equal. */
struct seen;

struct seen *seen_new(void);
void seen_free(struct seen *s);
/* Whether it was not in yet. Dies past 16 million members. */
bool seen_add(struct seen *s, const void *data, size_t length);
bool seen_has(const struct seen *s, const void *data, size_t length);
size_t seen_count(const struct seen *s);

#endif
