/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/forest.h"

#include "compute/engine/operator.h"

#include <math.h>
#include <string.h>

/* The lists of attributes a forest is written in. */
struct lists {
    const struct attribute *trees, *ids, *features, *modes, *yes, *no, *missing;
    const struct attribute *vote_trees, *vote_nodes, *vote_outputs;
    const double *values;
    const double *weights;
    size_t value_count, weight_count;
};

struct building {
    struct node *n;
    struct forest *f;
    struct lists l;
    struct dict places; /* (tree, id) to the node's place */
    bool *child;        /* has a parent */
    struct pool *pool;
    struct refusal *why;
};

static enum err bad(struct building *b, const char *problem)
{
    return refuse(b->why, ERR_CONTENT, "node \"%.*s\" (%s): %s", (int)b->n->name.length,
                  b->n->name.data, b->n->op->name, problem);
}

/* Reals of a list, or of its form as a tensor, as doubles. */
static enum err take_reals(struct building *b, const char *name, const char *as_tensor,
                           const double **out, size_t *count)
{
    const struct attribute *a = node_attribute(b->n, name), *t = node_attribute(b->n, as_tensor);
    double *copy;

    *count = 0;
    if (t != NULL && t->tensor != NULL && tensor_is_number(t->tensor))
        *count = t->tensor->count;
    else if (a != NULL)
        *count = a->real_count;
    TRY(pool_get(b->pool, *count, sizeof(*copy), &copy, b->why));
    for (size_t i = 0; i < *count; i++)
        copy[i] = t != NULL && t->tensor != NULL ? tensor_get(t->tensor, i) : (double)a->reals[i];
    *out = copy;
    return OK;
}

static size_t numbers_in(const struct attribute *a)
{
    return a == NULL ? 0 : a->number_count;
}

static enum err find_lists(struct building *b, bool classes)
{
    struct lists *l = &b->l;
    struct node *n = b->n;
    size_t count;

    *l = (struct lists){
        .trees = node_attribute(n, "nodes_treeids"),
        .ids = node_attribute(n, "nodes_nodeids"),
        .features = node_attribute(n, "nodes_featureids"),
        .modes = node_attribute(n, "nodes_modes"),
        .yes = node_attribute(n, "nodes_truenodeids"),
        .no = node_attribute(n, "nodes_falsenodeids"),
        .missing = node_attribute(n, "nodes_missing_value_tracks_true"),
        .vote_trees = node_attribute(n, classes ? "class_treeids" : "target_treeids"),
        .vote_nodes = node_attribute(n, classes ? "class_nodeids" : "target_nodeids"),
        .vote_outputs = node_attribute(n, classes ? "class_ids" : "target_ids")};
    TRY(take_reals(b, "nodes_values", "nodes_values_as_tensor", &l->values, &l->value_count));
    TRY(take_reals(b, classes ? "class_weights" : "target_weights",
                   classes ? "class_weights_as_tensor" : "target_weights_as_tensor", &l->weights,
                   &l->weight_count));
    TRY(take_reals(b, "base_values", "base_values_as_tensor", &b->f->base, &b->f->base_count));
    count = numbers_in(l->trees);
    if (count == 0 || count > UINT32_MAX / 2 || numbers_in(l->ids) != count ||
        numbers_in(l->features) != count || l->modes == NULL || l->modes->text_count != count ||
        numbers_in(l->yes) != count || numbers_in(l->no) != count || l->value_count != count)
        return bad(b, "its lists of nodes have different lengths");
    if (numbers_in(l->vote_trees) != l->weight_count ||
        numbers_in(l->vote_nodes) != l->weight_count ||
        numbers_in(l->vote_outputs) != l->weight_count || l->weight_count == 0)
        return bad(b, "its lists of votes have different lengths");
    b->f->count = count;
    return OK;
}

static long place_of(const struct building *b, int64_t tree, int64_t id)
{
    int64_t key[2] = {tree, id};

    return dict_find(&b->places, (struct span){(const char *)key, sizeof(key)});
}

static enum err number_nodes(struct building *b)
{
    b->places = dict_new(b->pool, b->f->count);
    for (size_t i = 0; i < b->f->count; i++) {
        int64_t key[2] = {b->l.trees->numbers[i], b->l.ids->numbers[i]};
        long place = dict_add(&b->places, (struct span){(const char *)key, sizeof(key)});

        if (place == DICT_NO_MEMORY)
            return refuse(b->why, ERR_TOO_LARGE, "no memory for a forest of %zu nodes",
                          b->f->count);
        if (place != (long)i)
            return bad(b, "two nodes of a tree have the same id");
    }
    return OK;
}

static enum err set_child(struct building *b, size_t i, const struct attribute *ids, uint32_t *out)
{
    long place = place_of(b, b->l.trees->numbers[i], ids->numbers[i]);

    if (place < 0)
        return bad(b, "a branch leads to a node that is not there");
    if (b->child[place])
        return bad(b, "two branches lead to the same node");
    b->child[place] = true;
    *out = (uint32_t)place;
    return OK;
}

static enum err make_node(struct building *b, size_t i)
{
    static const char *const modes[] = {"BRANCH_LEQ", "BRANCH_LT",  "BRANCH_GTE", "BRANCH_GT",
                                        "BRANCH_EQ",  "BRANCH_NEQ", "LEAF"};
    struct forest_node *node = &b->f->nodes[i];
    int64_t feature = b->l.features->numbers[i];
    size_t mode = 0;

    while (mode < 7 && !span_is(b->l.modes->texts[i], modes[mode]))
        mode++;
    if (mode == 7)
        return bad(b, "a node has a mode that is not supported");
    node->branch = (enum branch)mode;
    if (node->branch == BRANCH_LEAF)
        return OK;
    if (feature < 0 || feature > INT32_MAX)
        return bad(b, "a branch looks at a feature that cannot be");
    node->feature = (uint32_t)feature;
    node->value = b->l.values[i];
    node->missing_true = i < numbers_in(b->l.missing) && b->l.missing->numbers[i] != 0;
    if (node->feature >= b->f->width)
        b->f->width = node->feature + 1;
    TRY(set_child(b, i, b->l.yes, &node->yes));
    return set_child(b, i, b->l.no, &node->no);
}

/* A node that no branch leads to is a root, and a tree has one. A cycle would need a node with two
 * parents, or a tree without a root. */
static enum err find_roots(struct building *b)
{
    struct dict seen = dict_new(b->pool, b->f->count);

    TRY(pool_get(b->pool, b->f->count, sizeof(*b->f->roots), &b->f->roots, b->why));
    for (size_t i = 0; i < b->f->count; i++) {
        const struct span tree = {(const char *)&b->l.trees->numbers[i], sizeof(int64_t)};

        if (b->child[i])
            continue;
        if (dict_add(&seen, tree) != (long)b->f->trees)
            return bad(b, "a tree has two roots");
        b->f->roots[b->f->trees++] = (uint32_t)i;
    }
    return OK;
}

/* Votes sorted by their leaf: counted first, then put in their place. */
static enum err place_votes(struct building *b)
{
    struct forest *f = b->f;
    uint32_t next = 0, *leaf;

    TRY(pool_get(b->pool, b->l.weight_count, sizeof(*f->votes), &f->votes, b->why));
    TRY(pool_get(b->pool, b->l.weight_count, sizeof(*leaf), &leaf, b->why));
    for (size_t v = 0; v < b->l.weight_count; v++) {
        long place = place_of(b, b->l.vote_trees->numbers[v], b->l.vote_nodes->numbers[v]);
        int64_t output = b->l.vote_outputs->numbers[v];

        if (place < 0 || f->nodes[place].branch != BRANCH_LEAF)
            return bad(b, "a vote belongs to no leaf");
        if (output < 0 || (uint64_t)output >= f->outputs)
            return bad(b, "a vote is for an output that is not there");
        leaf[v] = (uint32_t)place;
        f->nodes[place].votes++;
        f->all_positive = f->all_positive && b->l.weights[v] >= 0;
        f->one_output = f->one_output && output == b->l.vote_outputs->numbers[0];
    }
    for (size_t i = 0; i < f->count; i++) {
        f->nodes[i].first_vote = next;
        next += f->nodes[i].votes;
        f->nodes[i].votes = 0;
    }
    for (size_t v = 0; v < b->l.weight_count; v++) {
        struct forest_node *node = &f->nodes[leaf[v]];

        f->votes[node->first_vote + node->votes++] =
            (struct forest_vote){(uint32_t)b->l.vote_outputs->numbers[v], b->l.weights[v]};
    }
    return OK;
}

/* Class labels, or targets. */
static size_t count_outputs(const struct node *n, bool classes)
{
    const struct attribute *numbers = node_attribute(n, "classlabels_int64s");
    const struct attribute *texts = node_attribute(n, "classlabels_strings");
    const struct attribute *targets = node_attribute(n, "n_targets");

    if (!classes)
        return targets == NULL || targets->number < 1 || targets->number > 10000
                   ? 1
                   : (size_t)targets->number;
    return numbers_in(numbers) > 0 ? numbers->number_count : texts == NULL ? 0 : texts->text_count;
}

enum err forest_prepare(struct node *n, struct pool *pool, struct refusal *why)
{
    bool classes = strcmp(n->op->name, "TreeEnsembleClassifier") == 0;
    struct building b = {.n = n, .pool = pool, .why = why};

    TRY(pool_get(pool, 1, sizeof(*b.f), &b.f, why));
    b.f->outputs = count_outputs(n, classes);
    b.f->all_positive = b.f->one_output = true;
    TRY(find_lists(&b, classes));
    if (b.f->base_count > 0 && b.f->base_count != b.f->outputs && b.f->base_count != 1)
        return bad(&b, "there are not as many base values as outputs");
    TRY(pool_get(pool, b.f->count, sizeof(*b.f->nodes), &b.f->nodes, why));
    TRY(pool_get(pool, b.f->count, sizeof(*b.child), &b.child, why));
    TRY(number_nodes(&b));
    for (size_t i = 0; i < b.f->count; i++)
        TRY(make_node(&b, i));
    TRY(find_roots(&b));
    TRY(place_votes(&b));
    n->prepared = b.f;
    return OK;
}

static bool goes_yes(const struct forest_node *n, double x)
{
    if (isnan(x))
        return n->missing_true || n->branch == BRANCH_NEQ;
    switch (n->branch) {
    case BRANCH_LEQ:
        return x <= n->value;
    case BRANCH_LT:
        return x < n->value;
    case BRANCH_GTE:
        return x >= n->value;
    case BRANCH_GT:
        return x > n->value;
    case BRANCH_EQ:
        return x == n->value;
    default:
        return x != n->value;
    }
}

const struct forest_node *forest_leaf(const struct forest *f, size_t tree, const double *row)
{
    const struct forest_node *n = &f->nodes[f->roots[tree]];

    while (n->branch != BRANCH_LEAF)
        n = &f->nodes[goes_yes(n, row[n->feature]) ? n->yes : n->no];
    return n;
}
