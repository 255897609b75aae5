/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINEAGE_BODY_H
#define LINEAGE_BODY_H

#include "core/request.h"

/* The whole body of a route with file_body, for formats that come packed: at most packed bytes as
 * sent, and plain bytes once what Content-Encoding: gzip says is undone. In the arena.
 * ERR_INVALID, ERR_TOO_LARGE and ERR_MEDIA_TYPE say why not. */
MUST_CHECK enum err body_read(struct request *rq, size_t packed, size_t plain,
                              const struct text **out);
/* Whether a header's value is that word, before any parameters. */
bool body_is(const char *value, const char *word);
/* In the arena, which frees it. */
struct text *body_text(struct request *rq, size_t max);

#endif
