/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_TREE_H
#define CLI_TREE_H

#include "core/arena.h"
#include "core/text.h"

#include <jansson.h>

/* Draw {root, nodes:[{name,digest}|{redacted,id}], edges:[{src,dst,kind}]} as a tree from its root:
 * against the edges (upstream) or along them. A node met again is named and not followed. */
void tree_write(struct arena *a, const json_t *graph, bool upstream, struct text *out);

#endif
