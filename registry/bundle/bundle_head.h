/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUNDLE_BUNDLE_HEAD_H
#define BUNDLE_BUNDLE_HEAD_H

#include "auth/auth.h"
#include "lineage/graph/graph_export.h"
#include "lineage/sealed/sealed.h"
#include "registry/version.h"

/* A bundle being made (lineage/sealed/sealed.h says what it is). */
struct sealing {
    struct request *rq;
    struct version *versions; /* ready, of the project of the route */
    size_t count;
    struct walk history; /* of all of them, complete */
    struct sealed_member *members;
    size_t member_count;
    size_t member_room;
    struct texts objects; /* things that entries of the log are to prove */
    size_t object_room;
    struct log log;
    const char *id; /* hexadecimal SHA-256 of the listing, once it is sealed */
};

/* The whole head, sealed, in a TX_READ. It was read back and checked as whoever gets it will. */
MUST_CHECK enum err bundle_head(struct sealing *b, struct text *out);

#endif
