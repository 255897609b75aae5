/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEALED_GRAPH_PROOF_H
#define SEALED_GRAPH_PROOF_H

#include "lineage/note.h"

#include <jansson.h>

/* A piece of the graph with proofs, checked offline. The file is a JSON object:
 *   nodes   [{name, kind, project}]
 *   edges   [{src, dst, kind, at, request}]
 *   entries [{leaf, proof}]: an audit entry as it was logged, and its C2SP tlog-proof
 * An edge is proven by an entry of its request that succeeded, is in the log, and is about one of
 * its ends: "projects/PROJECT/OBJECT" is that end or what it is part of. Edges of received events
 * are proven by the entry that names the event's digest, those that came in a bundle (their source
 * is "imported:…") by the entry that names the bundle. */

struct graph_question {
    const json_t *file;
    const struct note_key *keys;
    size_t key_count;
    const char *checkpoint; /* signed note under which every proof must be; NULL for any */
    size_t checkpoint_length;
    bool lax; /* an edge that no entry proves is no fault: something else vouches for it */
    void (*say)(void *context, const char *fault);
    void (*edge)(void *context, const json_t *edge); /* each that is proven; or NULL */
    void *context;
};

struct graph_check {
    size_t edges;
    size_t proven;
    size_t entries;
    struct checkpoint checkpoint; /* the largest that entries were proven under */
};

/* Tells each fault to say; true when there is none. */
bool graph_proof_check(const struct graph_question *q, struct graph_check *out);

#endif
