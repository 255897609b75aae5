/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_FILE_HTTP_H
#define REGISTRY_FILE_HTTP_H

#include "core/request.h"

/* What both ways of sending a file share. */

/* ERR_DIGEST when a Content-Digest or Digest header announces another SHA-256. */
MUST_CHECK enum err digest_check(struct request *rq, const struct digest *actual);
/* ERR_INVALID unless path_valid. */
MUST_CHECK enum err file_path_check(struct request *rq, const char *path);
const char *hex_of(struct arena *a, const struct digest *d);

#endif
