/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AUTH_OUTBOUND_H
#define AUTH_OUTBOUND_H

#include "core/arena.h"
#include "core/err.h"
#include "core/service.h"

#include <stddef.h>

/* The one place that calls other servers for this folder. Only https with a verified certificate,
 * no redirects, no proxy; at most 256 KiB, and 64 KiB of headers, in 10 s; at most 600 requests a
 * minute to one host. The address is judged when it is connected to, so a name cannot point
 * elsewhere between look and use: loopback, private, link-local and reserved ones are refused.
 * Where the setting outbound_private names the host and port, loopback and private ones are not;
 * what clouds keep for their machines is out of bounds for all. Blocks: for the slow lane and
 * background threads. */
enum { OUTBOUND_BODY_MAX = 256 * 1024, OUTBOUND_SECONDS = 10, OUTBOUND_PER_MINUTE = 600 };

struct outbound {
    const char *url;
    const char *form;           /* POST this as application/x-www-form-urlencoded; NULL for GET */
    const char *json;           /* or this, with headers; NULL for none */
    const char *const *headers; /* whole lines, then NULL; NULL for none */
    const char *user; /* HTTP Basic, already percent-encoded (RFC 6749 §2.3.1); NULL for none */
    const char *password;
};

struct outbound_reply {
    long status;
    const char *body; /* in the arena, NUL-terminated */
    size_t length;
};

void outbound_start(const struct service *service);
/* ERR_UNAVAILABLE, ERR_DENIED (the guard) or ERR_RATE, and *why says what is wrong, in the arena.
 * Any status of the other side is OK here. */
MUST_CHECK enum err outbound_send(struct arena *a, const struct outbound *o,
                                  struct outbound_reply *reply, const char **why);
/* Is this an https URL without user, password or fragment? */
MUST_CHECK enum err outbound_check(struct arena *a, const char *url, const char **why);
/* The same, and not an address that the guard will refuse. A name is judged when it is called. */
MUST_CHECK enum err outbound_judge(struct arena *a, const char *url, const char **why);

#endif
