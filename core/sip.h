/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SIP_H
#define CORE_SIP_H

#include <stddef.h>
#include <stdint.h>

/* SipHash-2-4 (Aumasson and Bernstein 2012) under a key of this process: for tables that strangers
 * choose the keys of, so that nobody can aim at a slot. Not for anything that leaves the process.
 */
uint64_t sip_hash(const void *data, size_t length);
/* The same of a text, told apart from others by seed. */
uint64_t sip_text(uint64_t seed, const char *text);

#endif
