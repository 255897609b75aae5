/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINEAGE_MERKLE_H
#define LINEAGE_MERKLE_H

#include "core/crypto.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The Merkle tree of RFC 6962 §2.1 over SHA-256. A node (level, index) is the root of the complete
 * subtree over leaves [index << level, (index + 1) << level); level 0 is the leaf hashes. */

/* No log holds more leaves, so that no proof holds more than MERKLE_PROOF_MAX hashes. */
#define MERKLE_SIZE_MAX (UINT64_C(1) << 62)
enum { MERKLE_LEVELS = 63, MERKLE_PROOF_MAX = 63 };

struct digest merkle_empty(void);
struct digest merkle_leaf(const void *entry, size_t length);
struct digest merkle_node(const struct digest *left, const struct digest *right);
/* Root of the count leaf hashes by the recursion as printed in §2.1: the oracle of the rest. */
struct digest merkle_root_plain(const struct digest *leaves, size_t count);
/* Root of a complete subtree over count (a power of two) hashes, which are overwritten. */
struct digest merkle_fold(struct digest *hashes, size_t count);

/* A tree that is only ever appended to: nodes[l] is the last complete subtree of 2^l leaves for
 * every bit l set in size. Zeroed memory is the empty tree. */
struct frontier {
    uint64_t size;
    struct digest nodes[MERKLE_LEVELS];
};

void frontier_add(struct frontier *f, const struct digest *leaf);
struct digest frontier_root(const struct frontier *f);

/* Where proofs get their nodes from. read answers only for complete subtrees inside the tree. */
struct merkle_nodes {
    enum err (*read)(void *context, unsigned level, uint64_t index, struct digest *out);
    void *context;
};

/* Hashes in the order of RFC 6962 §2.1.1 and §2.1.2: nearest the leaves first. */
struct merkle_proof {
    size_t count;
    struct digest hashes[MERKLE_PROOF_MAX];
};

/* ERR_RANGE when index >= size, before > size or size > MERKLE_SIZE_MAX; else what read returned.
 */
MUST_CHECK enum err merkle_root(const struct merkle_nodes *from, uint64_t size, struct digest *out);
MUST_CHECK enum err merkle_inclusion(const struct merkle_nodes *from, uint64_t index, uint64_t size,
                                     struct merkle_proof *out);
MUST_CHECK enum err merkle_consistency(const struct merkle_nodes *from, uint64_t before,
                                       uint64_t size, struct merkle_proof *out);

/* RFC 9162 §2.1.3.2 and §2.1.4.2. From an empty tree the proof is empty and the root the empty one.
 */
bool merkle_inclusion_verify(const struct merkle_proof *p, uint64_t index, uint64_t size,
                             const struct digest *leaf, const struct digest *root);
bool merkle_consistency_verify(const struct merkle_proof *p, uint64_t before, uint64_t size,
                               const struct digest *before_root, const struct digest *root);

#endif
