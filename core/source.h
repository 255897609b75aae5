/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SOURCE_H
#define CORE_SOURCE_H

/* Whom an address stands for when something is counted: an IPv4 address for itself, an IPv6 address
 * for its /64, which is what one customer has. remote is as struct request has it. */
enum { SOURCE_SIZE = 64 };
void source_of(const char *remote, char out[SOURCE_SIZE]);

#endif
