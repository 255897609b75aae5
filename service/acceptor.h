/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_ACCEPTOR_H
#define SERVICE_ACCEPTOR_H

#include "core/err.h"

#include <stdint.h>

/* The thread that accepts. It is ours because MHD_quiesce_daemon of libmicrohttpd 0.9.75 may abort
 * the process when a network thread takes the listening socket out of its epoll set at that moment.
 */
struct acceptor;
struct sockaddr;

/* What is done with an accepted socket, which take owns from then on. */
typedef void acceptor_take(void *cls, int fd, const struct sockaddr *peer, unsigned length);

/* ERR_INVALID for an address that is none, ERR_UNAVAILABLE for one that cannot be had; logged. */
MUST_CHECK enum err acceptor_start(const char *address, uint16_t port, acceptor_take *take,
                                   void *cls, struct acceptor **out);
uint16_t acceptor_port(const struct acceptor *a);
/* Close the listening socket; take is not called any more. */
void acceptor_stop(struct acceptor *a);

#endif
