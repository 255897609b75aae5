/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_ARCHIVE_H
#define SERVICE_ARCHIVE_H

/* The members of a backup. manifest.json has
 * {"format","version","migration","created_at","key_check"}. */
#define ARCHIVE_MANIFEST "manifest.json"
#define ARCHIVE_DUMP     "database.dump"
#define ARCHIVE_BLOBS    "blobs"
#define ARCHIVE_KEY      "secret.key"

enum { ARCHIVE_FORMAT = 1, ARCHIVE_CHECK_SIZE = 65 };

#endif
