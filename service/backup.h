/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_BACKUP_H
#define SERVICE_BACKUP_H

#include "core/config.h"
#include "core/err.h"

#include <stdbool.h>

/* One tar archive with manifest.json, database.dump (pg_dump's custom format) and the directory
 * blobs. The dump is one snapshot and comes first; blobs are never changed, only added, so every
 * one that the dump names is there to be copied after it, and the service may go on meanwhile.
 *
 * The key file is left out unless with_key: whoever holds both can read every stored secret. */
MUST_CHECK enum err backup_write(const struct config *c, const char *file, bool with_key);

/* Into a home that is empty but for the key file secret.key, which is needed when the archive does
 * not hold it. Afterwards chanceryd serve starts on it. Refuses an archive of a newer release. */
MUST_CHECK enum err backup_restore(const struct config *c, const char *file);

#endif
