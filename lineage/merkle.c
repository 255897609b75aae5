/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/merkle.h"

#include <stdlib.h>
#include <string.h>

/* Entries up to this size are hashed from the stack, in one call. */
enum { SHORT_ENTRY = 4096 };

struct digest merkle_empty(void)
{
    return sha256_of("", 0);
}

struct digest merkle_leaf(const void *entry, size_t length)
{
    uint8_t bytes[1 + SHORT_ENTRY];
    struct sha256 *h;

    bytes[0] = 0x00;
    if (length <= SHORT_ENTRY) {
        if (length > 0)
            memcpy(bytes + 1, entry, length);
        return sha256_of(bytes, 1 + length);
    }
    h = sha256_begin();
    sha256_add(h, bytes, 1);
    sha256_add(h, entry, length);
    return sha256_end(h);
}

struct digest merkle_node(const struct digest *left, const struct digest *right)
{
    uint8_t bytes[1 + 2 * SHA256_SIZE];

    bytes[0] = 0x01;
    memcpy(bytes + 1, left->bytes, SHA256_SIZE);
    memcpy(bytes + 1 + SHA256_SIZE, right->bytes, SHA256_SIZE);
    return sha256_of(bytes, sizeof(bytes));
}

/* The largest power of two smaller than n; n > 1. */
static uint64_t split(uint64_t n)
{
    return UINT64_C(1) << (63 - __builtin_clzll(n - 1));
}

struct digest merkle_root_plain(const struct digest *leaves, size_t count)
{
    struct digest left, right;
    size_t k;

    if (count == 0)
        return merkle_empty();
    if (count == 1)
        return leaves[0];
    k = (size_t)split(count);
    left = merkle_root_plain(leaves, k);
    right = merkle_root_plain(leaves + k, count - k);
    return merkle_node(&left, &right);
}

struct digest merkle_fold(struct digest *hashes, size_t count)
{
    for (; count > 1; count /= 2) {
        for (size_t i = 0; i < count / 2; i++)
            hashes[i] = merkle_node(&hashes[2 * i], &hashes[2 * i + 1]);
    }
    return hashes[0];
}

void frontier_add(struct frontier *f, const struct digest *leaf)
{
    struct digest node = *leaf;
    unsigned level = 0;

    for (; (f->size >> level & 1) != 0; level++)
        node = merkle_node(&f->nodes[level], &node);
    f->nodes[level] = node;
    f->size++;
}

struct digest frontier_root(const struct frontier *f)
{
    struct digest root = merkle_empty();
    bool any = false;

    for (unsigned level = 0; level < MERKLE_LEVELS; level++) {
        if ((f->size >> level & 1) == 0)
            continue;
        root = any ? merkle_node(&f->nodes[level], &root) : f->nodes[level];
        any = true;
    }
    return root;
}

/* Root of leaves [from, from + count), where from is a multiple of every power of two below count:
 * its complete subtrees, joined from the smallest up. */
static enum err range_root(const struct merkle_nodes *nodes, uint64_t from, uint64_t count,
                           struct digest *out)
{
    uint64_t end = from + count;
    bool any = false;

    for (unsigned level = 0; level < MERKLE_LEVELS; level++) {
        struct digest node;
        enum err e;

        if ((count >> level & 1) == 0)
            continue;
        end -= UINT64_C(1) << level;
        e = nodes->read(nodes->context, level, end >> level, &node);
        if (e != OK)
            return e;
        *out = any ? merkle_node(&node, out) : node;
        any = true;
    }
    return OK;
}

enum err merkle_root(const struct merkle_nodes *from, uint64_t size, struct digest *out)
{
    if (size > MERKLE_SIZE_MAX)
        return ERR_RANGE;
    *out = merkle_empty();
    return range_root(from, 0, size, out);
}

/* Gather the siblings passed on the way down, which a proof lists from the bottom up. */
static void reverse(struct merkle_proof *p)
{
    for (size_t i = 0; i < p->count / 2; i++) {
        struct digest kept = p->hashes[i];

        p->hashes[i] = p->hashes[p->count - 1 - i];
        p->hashes[p->count - 1 - i] = kept;
    }
}

/* One step down from leaves [*start, *start + *size) into their right or left part; the root of the
 * other part goes into the proof. */
static enum err descend(const struct merkle_nodes *from, bool right, uint64_t *start,
                        uint64_t *size, struct merkle_proof *out)
{
    uint64_t k = split(*size), first = *start, rest = *size - k;
    struct digest *sibling = &out->hashes[out->count++];

    *size = right ? rest : k;
    *start = right ? first + k : first;
    return right ? range_root(from, first, k, sibling) : range_root(from, first + k, rest, sibling);
}

/* PATH(m, D[n]) of RFC 6962 §2.1.1, the recursion turned into a descent. */
enum err merkle_inclusion(const struct merkle_nodes *from, uint64_t index, uint64_t size,
                          struct merkle_proof *out)
{
    uint64_t start = 0;
    enum err e = OK;

    out->count = 0;
    if (size > MERKLE_SIZE_MAX || index >= size)
        return ERR_RANGE;
    while (size > 1 && e == OK)
        e = descend(from, index - start >= split(size), &start, &size, out);
    reverse(out);
    return e;
}

/* SUBPROOF(m, D[n], b) of RFC 6962 §2.1.2; whole is its b. */
enum err merkle_consistency(const struct merkle_nodes *from, uint64_t before, uint64_t size,
                            struct merkle_proof *out)
{
    uint64_t start = 0;
    bool whole = true;
    enum err e = OK;

    out->count = 0;
    if (size > MERKLE_SIZE_MAX || before > size)
        return ERR_RANGE;
    while (before > 0 && before - start < size && e == OK) {
        bool right = before - start > split(size);

        whole = whole && !right;
        e = descend(from, right, &start, &size, out);
    }
    if (e == OK && !whole)
        e = range_root(from, start, size, &out->hashes[out->count++]);
    reverse(out);
    return e;
}

/* RFC 9162 §2.1.3.2, by its numbered steps. */
bool merkle_inclusion_verify(const struct merkle_proof *p, uint64_t index, uint64_t size,
                             const struct digest *leaf, const struct digest *root)
{
    uint64_t fn = index, sn = size - 1;
    struct digest r = *leaf;

    if (index >= size || size > MERKLE_SIZE_MAX || p->count > MERKLE_PROOF_MAX)
        return false;
    for (size_t i = 0; i < p->count; i++) {
        if (sn == 0)
            return false;
        if ((fn & 1) != 0 || fn == sn) {
            r = merkle_node(&p->hashes[i], &r);
            for (; (fn & 1) == 0 && fn != 0; fn >>= 1)
                sn >>= 1;
        } else {
            r = merkle_node(&r, &p->hashes[i]);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && digest_equal(&r, root);
}

/* Steps 4 to 7 of RFC 9162 §2.1.4.2 for 0 < before < size; first is the first node to join. */
static bool consistency_joins(const struct merkle_proof *p, size_t at, const struct digest *first,
                              uint64_t fn, uint64_t sn, struct digest roots[2])
{
    roots[0] = roots[1] = *first;
    for (; (fn & 1) != 0; fn >>= 1)
        sn >>= 1;
    for (; at < p->count; at++, fn >>= 1, sn >>= 1) {
        if (sn == 0)
            return false;
        if ((fn & 1) == 0 && fn != sn) {
            roots[1] = merkle_node(&roots[1], &p->hashes[at]);
            continue;
        }
        roots[0] = merkle_node(&p->hashes[at], &roots[0]);
        roots[1] = merkle_node(&p->hashes[at], &roots[1]);
        for (; (fn & 1) == 0 && fn != 0; fn >>= 1)
            sn >>= 1;
    }
    return sn == 0;
}

bool merkle_consistency_verify(const struct merkle_proof *p, uint64_t before, uint64_t size,
                               const struct digest *before_root, const struct digest *root)
{
    struct digest empty = merkle_empty(), roots[2];
    /* A complete old tree is itself the first node, and the proof leaves it out. */
    bool complete = (before & (before - 1)) == 0;

    if (before > size || size > MERKLE_SIZE_MAX || p->count > MERKLE_PROOF_MAX)
        return false;
    if (before == size)
        return p->count == 0 && digest_equal(before_root, root);
    if (before == 0)
        return p->count == 0 && digest_equal(before_root, &empty);
    if (p->count == 0)
        return false;
    if (!consistency_joins(p, complete ? 0 : 1, complete ? before_root : &p->hashes[0], before - 1,
                           size - 1, roots))
        return false;
    return digest_equal(&roots[0], before_root) && digest_equal(&roots[1], root);
}
