/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AUTH_OUTBOUND_GUARD_H
#define AUTH_OUTBOUND_GUARD_H

#include <stdbool.h>
#include <sys/socket.h>

/* May anyone make the service connect there? Only what is routed in the public internet (the
 * special-purpose registries of RFC 6890): not loopback, private, link-local, shared, multicast,
 * documentation or reserved addresses, nor IPv6 forms that carry an IPv4 address inside. */
bool outbound_public(const struct sockaddr *address);
/* Loopback, private (RFC 1918, RFC 4193) or shared (RFC 6598): where a company's own servers are.
 * Not link-local, nor what clouds tell their machines' secrets at. */
bool outbound_private(const struct sockaddr *address);
/* Does the list "host:port,host:port" name this one? */
bool outbound_listed(const char *list, const char *host, const char *port);

#endif
