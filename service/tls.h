/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_TLS_H
#define SERVICE_TLS_H

#include "core/err.h"

#include <gnutls/gnutls.h>

/* The service's certificate. A reload swaps the credential for connections to come; those that are
 * open keep theirs, so each holds a reference. */
struct tls;
struct tls_credential;

/* TLS 1.3 and 1.2, forward secrecy and AEAD only (RFC 9325 §3.1.1, §4.2). */
extern const char tls_priorities[];

/* ERR_INVALID when the files are no matching pair; the cause is logged. Paths are borrowed. */
MUST_CHECK enum err tls_open(const char *cert_path, const char *key_path, struct tls **out);
void tls_close(struct tls *t);
MUST_CHECK enum err tls_reload(struct tls *t);
/* Before the handshake: the present credential and session tickets. Returns the reference to give
 * back when the session is over; NULL when GnuTLS refuses. */
struct tls_credential *tls_attach(struct tls *t, gnutls_session_t session);
void tls_detach(struct tls_credential *c);

#endif
