/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_ADDRESS_H
#define SERVICE_ADDRESS_H

#include "core/arena.h"
#include "core/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Where to listen, from "127.0.0.1:8443", "[::1]:8443" or "0.0.0.0:0". */
struct address {
    const char *host; /* numeric, without brackets */
    uint16_t port;
    bool any; /* of all interfaces */
    bool v6;
};

/* Logs why not. The text is in the arena. */
MUST_CHECK enum err address_parse(struct arena *a, const char *text, struct address *out);
/* A port that is free now becomes the port, if it is 0: the service's URL is wanted before it
 * listens. */
MUST_CHECK enum err address_pick_port(struct address *address);
/* "https://127.0.0.1:8443"; of all interfaces, the loopback one. */
const char *address_url(struct arena *a, const struct address *address);

/* Can clients call us by it: https://HOST or https://HOST:PORT, as browsers write an origin (RFC
 * 6454)? */
bool address_url_valid(const char *url);

#endif
