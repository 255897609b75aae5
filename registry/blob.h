/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_BLOB_H
#define REGISTRY_BLOB_H

#include "core/db.h"

/* The content-addressed store: <home>/blobs/<tenant id>/<aa>/<sha256>, aa its first two digits.
 *
 * The invariant is that a row of table blob implies the whole file. Files appear before their row
 * commits and vanish after its deletion has; whoever makes or unmakes a digest holds the database's
 * advisory lock of that tenant and digest while doing so. A crash leaves at worst a file without a
 * row, which the collector removes. */

/* Where the store is; called once, before anything else here. Makes the directories.
 * ERR_INTERNAL (logged) when they cannot be had. */
MUST_CHECK enum err blob_start(const char *home);
const char *blob_home(void);

/* In a TX_WRITE: take the file at path, which has this digest (64 hexadecimal digits) and size,
 * into the store of the transaction's tenant. path is on the store's file system; it is moved away,
 * or left alone when the bytes are there already. The transaction may run again. ERR_STORAGE when
 * there is no room. */
MUST_CHECK enum err blob_adopt(struct db *db, const char *path, const char *sha256, int64_t size);

/* Open for reading; the caller closes *fd. ERR_NOT_FOUND when there is no such file. */
MUST_CHECK enum err blob_open(const char *tenant_id, const char *sha256, int *fd);

/* For the collector. In a TX_WRITE of its own: remove the file of a digest that has no row. */
MUST_CHECK enum err blob_sweep(struct db *db, const char *sha256, bool *removed);

#endif
