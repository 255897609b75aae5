/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_FOREST_H
#define ENGINE_FOREST_H

#include "compute/engine/onnx.h"

enum branch { BRANCH_LEQ, BRANCH_LT, BRANCH_GTE, BRANCH_GT, BRANCH_EQ, BRANCH_NEQ, BRANCH_LEAF };

struct forest_node {
    enum branch branch;
    uint32_t feature;
    double value;
    bool missing_true; /* where a NaN goes */
    uint32_t yes;      /* nodes, of a branch */
    uint32_t no;
    uint32_t first_vote; /* of a leaf */
    uint32_t votes;
};

struct forest_vote {
    uint32_t output; /* class or target */
    double weight;
};

/* The decision trees of a TreeEnsembleClassifier or -Regressor, checked when the model is read:
 * every child exists, no node has two parents, each tree has one root. So a walk from a root ends.
 */
struct forest {
    struct forest_node *nodes; /* (count) */
    size_t count;
    uint32_t *roots;
    size_t trees;
    struct forest_vote *votes;
    size_t outputs;
    uint32_t width;     /* features that are looked at: 1 + the largest */
    const double *base; /* (base_count), added to the outputs */
    size_t base_count;
    bool one_output;   /* all votes are for one output */
    bool all_positive; /* no weight is negative */
};

/* Fills n->prepared. */
MUST_CHECK enum err forest_prepare(struct node *n, struct pool *pool, struct refusal *why);

/* The leaf that a row of numbers ends in. */
const struct forest_node *forest_leaf(const struct forest *f, size_t tree, const double *row);

#endif
