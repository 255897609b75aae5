/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAPH_OL_TAKE_H
#define GRAPH_OL_TAKE_H

#include "core/request.h"

#include <jansson.h>

/* Events of a request, judged and stored: what is not well formed or not allowed is counted and
 * named, the rest is taken. */

struct ol_taken {
    size_t received;
    size_t taken;
    size_t known;   /* of them: had come before */
    json_t *failed; /* [{index, reason, retriable}], owned by the arena */
    enum err why;   /* of the last failure: ERR_INVALID or ERR_DENIED */
};

/* project is the one to which whatever names none belongs; "" for the tenant at large. */
MUST_CHECK enum err ol_take(struct request *rq, const json_t *events, const char *project,
                            struct ol_taken *out);

#endif
