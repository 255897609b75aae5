/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_ASSET_H
#define CLI_ASSET_H

#include "clients/cli/cli.h"
#include "core/crypto.h"

#include <stdio.h>

/* "models" or "datasets", as the command's first word says. */
const char *asset_kind(const struct cli *c);
/* "/v1/projects/P/models/NAME/versions/V" with rest appended as it is. */
const char *version_path(const struct cli *c, const char *name, const char *version,
                         const char *rest);
/* "datasets/cancer/versions/3" as it is; "cancer:3", "cancer@production" or "cancer" (its newest
 * ready version) as that; dies when there is none. */
const char *version_named(const struct cli *c, const char *kind, const char *text);
/* "models/risk" as it is, "risk" as that. */
const char *asset_named(const struct cli *c, const char *kind, const char *text);
/* For people: what it is, its files and its schema. */
void print_version(const struct cli *c, const json_t *version);
void print_schema(const struct cli *c, const json_t *columns);

/* Send one local file into a pending version as path. Small files go in one request under their
 * digest; large ones in pieces that go on where a lost connection broke them off. */
void transfer_send(const struct cli *c, const char *version_path, const char *local,
                   const char *path);
/* The same of a part of an open file, whose digest is known. */
struct transfer_part {
    FILE *file;
    int64_t base;
    int64_t size;
    struct digest sha256;
};
void transfer_send_part(const struct cli *c, const char *version_path, const char *path,
                        const struct transfer_part *part);
/* Fetch one file of a version; it appears as local only when its digest is right. */
void transfer_fetch(const struct cli *c, const char *version_path, const char *path,
                    const char *local);

#endif
