/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_HANDSHAKE_H
#define SERVICE_HANDSHAKE_H

#include "service/reaper.h"

#include <gnutls/gnutls.h>
#include <microhttpd.h>

/* libmicrohttpd 0.9.75 spins on a TLS handshake that waits for the client: its epoll loop does not
 * learn that the socket ran dry, so one stalled client costs a whole core. Here such a connection
 * is suspended from inside the read, watched by a thread of ours, and resumed when there is more.
 */
struct handshakes;

/* NULL: out of threads or descriptors. */
struct handshakes *handshakes_start(void);
/* Watch no more; afterwards, once every socket is shut down, none is pending any more. */
void handshakes_close(struct handshakes *h);
long handshakes_pending(struct handshakes *h);
void handshakes_stop(struct handshakes *h);

/* Before the first read of the session. */
void handshake_watch(struct handshakes *h, struct conn *c, struct MHD_Connection *connection,
                     gnutls_session_t session);

#endif
