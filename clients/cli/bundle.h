/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_BUNDLE_H
#define CLI_BUNDLE_H

#include "clients/cli/cli.h"
#include "lineage/sealed/sealed.h"

#include <stdio.h>

/* A bundle as a file (lineage/sealed/sealed.h says what is in it). */
struct bundle_file {
    FILE *file;
    struct text head;
    struct sealed sealed;
    int64_t *places; /* where the bytes of each member that is a file begin */
    int64_t bytes;   /* of all files */
};

/* Read all of it, once, from its beginning to its end: dies (UNVERIFIED) at the first thing that
 * does not fit. "-" is standard input. */
void bundle_check(struct cli *c, const char *path, const struct sealed_trust *trust,
                  struct bundle_file *out);
void bundle_close(struct bundle_file *b);
/* --vkey, or own when it was not given. */
struct sealed_trust bundle_trust(struct cli *c);
/* For people, or as JSON. */
void bundle_tell(const struct cli *c, const struct bundle_file *b, const char *what);

#endif
