/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_WIRE_H
#define SERVICE_WIRE_H

#include <gnutls/gnutls.h>

/* Between a TLS session and its socket. libmicrohttpd sends head and body of a reply one after the
 * other, each in a record and a system call of its own, and the client wakes up twice; here the
 * head waits for the body. One thread at a time, as with the session. */
struct wire;

/* Takes the sending side of the session's transport; the receiving side must be set. The socket
 * stays the caller's, and so does the wire, which must outlive the session's last use. NULL: out of
 * memory, nothing has changed, and nothing will be held. */
struct wire *wire_attach(gnutls_session_t session, int fd);
void wire_free(struct wire *w);

/* What is sent next waits for what is sent after it. */
void wire_hold(struct wire *w);
/* Nothing follows: what still waits is sent, if the socket takes it. */
void wire_flush(struct wire *w);

#endif
