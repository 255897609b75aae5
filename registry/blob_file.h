/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_BLOB_FILE_H
#define REGISTRY_BLOB_FILE_H

#include "core/err.h"

#include <stdbool.h>
#include <stdint.h>

/* The files of the store, without their rows. The caller holds the lock of tenant and digest. */

/* Durable when it returns OK, together with its directories. ERR_STORAGE or ERR_INTERNAL. */
MUST_CHECK enum err blob_file_place(const char *tenant, const char *path, const char *sha256,
                                    int64_t size);
/* False when there was nothing to remove. */
bool blob_file_remove(const char *tenant, const char *sha256);

/* <home>/uploads/<tenant>/<id>.part, with its directory made; the caller frees it. NULL: logged. */
char *blob_spool_path(const char *tenant, const char *id);
/* The name of a file in its directory, on the disk. ERR_STORAGE or ERR_INTERNAL, logged. */
MUST_CHECK enum err blob_name_settle(const char *path);

#endif
