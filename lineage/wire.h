/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINEAGE_WIRE_H
#define LINEAGE_WIRE_H

#include "core/err.h"
#include "core/text.h"

/* Calls to the outside, to places that a tenant named: TLS (or, for witnesses on the loopback,
 * plain), to the very address that was looked at, and to none inside unless the setting
 * audit_private_targets says so. Not for requests: for threads that may wait. */

enum { WIRE_WHY = 200, WIRE_MS = 5000 };

struct wire_place {
    char scheme[16];
    char host[256];
    char port[6];
    const char *path; /* borrowed from the URL: "/…", or "" */
};

/* scheme://host[:port][/path], no user, no fragment; port is the fallback when it names none. */
bool wire_parse(const char *url, const char *fallback_port, struct wire_place *out);

struct wire_rules {
    bool private_too; /* loopback, link-local, private and other addresses that are not public */
    const char *ca;   /* PEM of further roots; NULL for the system's only */
};

struct wire;
/* why says what went wrong, for people: at most WIRE_WHY bytes. */
MUST_CHECK enum err wire_open(const struct wire_place *to, bool tls, const struct wire_rules *rules,
                              struct wire **out, char why[WIRE_WHY]);
MUST_CHECK enum err wire_send(struct wire *w, const char *bytes, size_t length);
/* All that comes until the end; ERR_TOO_LARGE beyond out's maximum. */
MUST_CHECK enum err wire_read(struct wire *w, struct text *out);
/* Say that nothing more comes, and wait until the peer has said so too: it has read everything. */
MUST_CHECK enum err wire_finish(struct wire *w);
void wire_close(struct wire *w);

/* POST (RFC 9110) of body; headers are whole lines. Redirections are answers like any other. */
struct wire_answer {
    unsigned status;
    const char *body; /* in text */
    struct text text;
};
MUST_CHECK enum err wire_post(const struct wire_place *to, const struct wire_rules *rules,
                              const char *headers, const struct text *body, struct wire_answer *out,
                              char why[WIRE_WHY]);

/* Whether the address (struct sockaddr) is one that anybody may be sent to. */
bool wire_public(const void *address);

#endif
