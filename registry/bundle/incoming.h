/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUNDLE_INCOMING_H
#define BUNDLE_INCOMING_H

#include "lineage/sealed/sealed.h"
#include "registry/version.h"

/* A version of a bundle on its way in. It is known by its digest: there already, on its way
 * (pending, with where it comes from kept beside it), or not begun. */
enum incoming_state { INCOMING_NEW, INCOMING_PENDING, INCOMING_READY };

struct incoming {
    const struct sealed *bundle;
    const json_t *facts; /* what the origin has on record, with its manifest */
    const char *kind;
    const char *name;
    const char *digest;
    enum incoming_state state;
    struct version version; /* here; unset while new */
    struct rows files;      /* of a pending one, so far */
    json_t *missing;        /* files that it still needs */
};

/* Where it stands. ERR_CONFLICT when the pending one has a file that it must not have. */
MUST_CHECK enum err incoming_find(struct request *rq, struct incoming *in);
/* In a TX_WRITE: the asset if need be, and a pending version of it. */
MUST_CHECK enum err incoming_begin(struct request *rq, struct incoming *in);
/* In a TX_WRITE: a pending one with all its files becomes what it was where it comes from.
 * ERR_CONTENT when its digest is another. */
MUST_CHECK enum err incoming_seal(struct request *rq, struct incoming *in);

/* In a TX_WRITE: the history as the origin tells it, for readers of the project. Its nodes are
 * "imported:PROJECT:ORIGIN:NAME", their kinds begin with "imported-". */
MUST_CHECK enum err incoming_history(struct request *rq, const struct sealed *bundle);
/* And from there to the version that is here. */
MUST_CHECK enum err incoming_link(struct request *rq, const struct incoming *in);

#endif
