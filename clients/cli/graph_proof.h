/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_GRAPH_PROOF_H
#define CLI_GRAPH_PROOF_H

#include "lineage/note.h"

#include <jansson.h>

/* A piece of the graph with proofs, checked offline. The file is a JSON object:
 *   nodes   [{name, kind, project}]
 *   edges   [{src, dst, kind, at, request}]
 *   entries [{leaf, proof}]: an audit entry as it was logged, and its C2SP tlog-proof
 * An edge is proven by an entry of its request that succeeded, is in the log, and is about one of
 * its ends: "projects/PROJECT/OBJECT" is that end or what it is part of. Edges of received events
 * are proven by the entry that names the event's digest. */

struct graph_check {
    size_t edges;
    size_t proven;
    size_t entries;
    struct checkpoint checkpoint; /* the largest that entries were proven under */
};

/* Tells each fault to say; true when there is none and every edge is proven. */
bool graph_proof_check(const json_t *file, const struct note_key *keys, size_t key_count,
                       void (*say)(void *context, const char *fault), void *context,
                       struct graph_check *out);

#endif
