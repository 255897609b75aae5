/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_LOCALCA_H
#define SERVICE_LOCALCA_H

#include "core/err.h"

/* A certificate authority of this installation's own, for those who bring no certificate. */
enum { LOCALCA_PATH = 512 };
struct localca {
    char ca[LOCALCA_PATH];   /* what clients are told to trust */
    char cert[LOCALCA_PATH]; /* of the server */
    char key[LOCALCA_PATH];
};

/* Make what is missing in dir/tls: ca.pem and ca.key (ten years), server.pem and server.key (ECDSA
 * P-256, 397 days, for localhost, the loopback addresses, the host name and extra_hosts, which are
 * separated by commas; NULL for none). A server certificate with less than 30 days left, for other
 * hosts or of another authority is made anew. Files appear whole or not at all; keys are 0600. */
MUST_CHECK enum err localca_ensure(const char *dir, const char *extra_hosts, struct localca *out);

#endif
