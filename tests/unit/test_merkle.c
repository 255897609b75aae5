/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/merkle.h"

#include "core/text.h"
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SMALL = 40, LARGE = 70000 };

static struct digest leaves[LARGE];

static void make_leaves(void)
{
    for (unsigned i = 0; i < LARGE; i++) {
        char entry[32];
        int length = snprintf(entry, sizeof(entry), "leaf %u", i);

        leaves[i] = merkle_leaf(entry, (size_t)length);
    }
}

/* Nodes straight from the leaves by the plain recursion. */
static enum err read_leaves(void *context, unsigned level, uint64_t index, struct digest *out)
{
    uint64_t size = *(uint64_t *)context;

    if (((index + 1) << level) > size)
        return ERR_RANGE;
    *out = merkle_root_plain(leaves + (index << level), (size_t)1 << level);
    return OK;
}

/* Leaves and roots of the Certificate Transparency reference log (RFC 6962 §2.1.3 is its tree). */
static void roots_are_those_of_certificate_transparency(void)
{
    static const struct {
        const char *entry;
        const char *root;
    } steps[] = {
        {"", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
        {"00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"},
        {"10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"},
        {"2021", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"},
        {"3031", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"},
        {"40414243", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"},
        {"5051525354555657", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"},
        {"606162636465666768696a6b6c6d6e6f",
         "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"},
    };
    struct frontier f = {0};
    struct digest root = frontier_root(&f), wanted = merkle_empty();

    CHECK(digest_equal(&root, &wanted));
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        uint8_t entry[16];
        struct digest leaf;

        CHECK(hex_decode(steps[i].entry, entry, strlen(steps[i].entry) / 2));
        leaf = merkle_leaf(entry, strlen(steps[i].entry) / 2);
        frontier_add(&f, &leaf);
        root = frontier_root(&f);
        CHECK(hex_decode(steps[i].root, wanted.bytes, SHA256_SIZE));
        CHECK(digest_equal(&root, &wanted));
    }
}

static void long_entries_hash_like_short_ones(void)
{
    static uint8_t entry[1 + 65535];

    for (size_t length = 4095; length <= 65535; length = length == 4097 ? 65535 : length + 1) {
        struct digest leaf, wanted;

        memset(entry + 1, 'x', length);
        leaf = merkle_leaf(entry + 1, length);
        wanted = sha256_of(entry, 1 + length);
        CHECK(digest_equal(&leaf, &wanted));
        if (length == 65535)
            break;
    }
}

static void frontier_agrees_with_the_recursion(void)
{
    static const size_t sizes[] = {255, 256, 257, 65536, 65537, LARGE};
    struct frontier f = {0};
    size_t next = 0;

    for (size_t n = 0; n < LARGE; n++) {
        struct digest root, wanted;

        frontier_add(&f, &leaves[n]);
        if (n + 1 > SMALL && n + 1 != sizes[next])
            continue;
        next += n + 1 > SMALL;
        root = frontier_root(&f);
        wanted = merkle_root_plain(leaves, n + 1);
        CHECK(digest_equal(&root, &wanted));
    }
    CHECK(next == sizeof(sizes) / sizeof(sizes[0]));
}

static bool included(const struct merkle_proof *p, uint64_t index, uint64_t size)
{
    struct digest root = merkle_root_plain(leaves, (size_t)size);

    return merkle_inclusion_verify(p, index, size, &leaves[index], &root);
}

/* Whether any flipped bit, missing, doubled or added hash still passes. */
static bool inclusion_bends(struct merkle_proof p, uint64_t index, uint64_t size)
{
    struct merkle_proof good = p;
    bool any = false;

    for (size_t i = 0; i < p.count; i++) {
        p.hashes[i].bytes[i % SHA256_SIZE] ^= 0x10;
        any = included(&p, index, size) || any;
        p = good;
        memmove(p.hashes + i, p.hashes + i + 1, (p.count - 1 - i) * sizeof(*p.hashes));
        p.count--;
        any = included(&p, index, size) || any;
        p = good;
    }
    p.hashes[p.count++] = leaves[0];
    return included(&p, index, size) || any;
}

static void every_inclusion_proof_holds_and_no_other(void)
{
    for (uint64_t size = 1; size <= SMALL; size++) {
        struct merkle_nodes nodes = {read_leaves, &size};
        struct merkle_proof p;

        for (uint64_t index = 0; index < size; index++) {
            CHECK(merkle_inclusion(&nodes, index, size, &p) == OK);
            CHECK(included(&p, index, size));
            CHECK(!inclusion_bends(p, index, size));
            for (uint64_t other = 0; other < size; other++) {
                struct digest root = merkle_root_plain(leaves, (size_t)size);

                CHECK(other == index ||
                      !merkle_inclusion_verify(&p, other, size, &leaves[index], &root));
                CHECK(other == index || !included(&p, other, size));
            }
        }
        CHECK(merkle_inclusion(&nodes, size, size, &p) == ERR_RANGE);
    }
}

static bool consistent(const struct merkle_proof *p, uint64_t before, uint64_t size)
{
    struct digest old = merkle_root_plain(leaves, (size_t)before);
    struct digest root = merkle_root_plain(leaves, (size_t)size);

    return merkle_consistency_verify(p, before, size, &old, &root);
}

static bool consistency_bends(struct merkle_proof p, uint64_t before, uint64_t size)
{
    struct merkle_proof good = p;
    bool any = false;

    for (size_t i = 0; i < p.count; i++) {
        p.hashes[i].bytes[i % SHA256_SIZE] ^= 0x01;
        any = consistent(&p, before, size) || any;
        p = good;
        memmove(p.hashes + i, p.hashes + i + 1, (p.count - 1 - i) * sizeof(*p.hashes));
        p.count--;
        any = consistent(&p, before, size) || any;
        p = good;
    }
    p.hashes[p.count++] = leaves[0];
    return consistent(&p, before, size) || any;
}

static void every_consistency_proof_holds_and_no_other(void)
{
    for (uint64_t size = 0; size <= SMALL; size++) {
        struct merkle_nodes nodes = {read_leaves, &size};
        struct merkle_proof p;

        for (uint64_t before = 0; before <= size; before++) {
            struct digest old = merkle_root_plain(leaves, (size_t)before);
            struct digest root = merkle_root_plain(leaves, (size_t)size), wrong = leaves[1];

            CHECK(merkle_consistency(&nodes, before, size, &p) == OK);
            CHECK(consistent(&p, before, size));
            CHECK(!consistency_bends(p, before, size));
            CHECK(!merkle_consistency_verify(&p, before, size, &wrong, &root));
            CHECK(before == 0 || !merkle_consistency_verify(&p, before, size, &old, &wrong));
            CHECK(before == 0 || !merkle_consistency_verify(&p, before - 1, size, &old, &root));
            CHECK(!merkle_consistency_verify(&p, before + 1, size, &old, &root));
        }
        CHECK(merkle_consistency(&nodes, size + 1, size, &p) == ERR_RANGE);
    }
}

static void proofs_of_large_trees_hold(void)
{
    static const uint64_t sizes[] = {255, 256, 257, 65536, 65537, LARGE};

    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        uint64_t size = sizes[s];
        struct merkle_nodes nodes = {read_leaves, &size};
        uint64_t indexes[] = {0, size / 2, size - 1, size * 7 / 11, 254};
        struct merkle_proof p;
        struct digest root;

        CHECK(merkle_root(&nodes, size, &root) == OK);
        for (size_t i = 0; i < sizeof(indexes) / sizeof(indexes[0]); i++) {
            CHECK(merkle_inclusion(&nodes, indexes[i], size, &p) == OK);
            CHECK(merkle_inclusion_verify(&p, indexes[i], size, &leaves[indexes[i]], &root));
            CHECK(merkle_consistency(&nodes, indexes[i], size, &p) == OK);
            CHECK(consistent(&p, indexes[i], size));
        }
    }
}

/* A tree whose nodes are all alike: no leaves needed, and sizes up to the largest. */
static enum err read_alike(void *context, unsigned level, uint64_t index, struct digest *out)
{
    uint64_t size = *(uint64_t *)context;
    struct digest node = leaves[0];

    if (index >= size >> level)
        return ERR_RANGE;
    for (unsigned i = 0; i < level; i++)
        node = merkle_node(&node, &node);
    *out = node;
    return OK;
}

static void the_largest_trees_fit_into_proofs(void)
{
    static const uint64_t sizes[] = {MERKLE_SIZE_MAX, MERKLE_SIZE_MAX - 1,
                                     (MERKLE_SIZE_MAX >> 1) + 1, UINT64_C(0x2AAAAAAAAAAAAAAB)};

    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        uint64_t size = sizes[s], before;
        struct merkle_nodes nodes = {read_alike, &size};
        uint64_t befores[] = {1, size - 1, size / 2 + 1, UINT64_C(0x1555555555555555)};
        struct digest root, old;
        struct merkle_proof p;

        CHECK(merkle_root(&nodes, size, &root) == OK);
        for (size_t i = 0; i < sizeof(befores) / sizeof(befores[0]); i++) {
            struct merkle_nodes old_nodes = {read_alike, &before};

            before = befores[i];
            CHECK(merkle_root(&old_nodes, before, &old) == OK);
            CHECK(merkle_consistency(&nodes, before, size, &p) == OK);
            CHECK(merkle_consistency_verify(&p, before, size, &old, &root));
            CHECK(merkle_inclusion(&nodes, before, size, &p) == OK);
            CHECK(merkle_inclusion_verify(&p, before, size, &leaves[0], &root));
        }
    }
    CHECK(merkle_root(&(struct merkle_nodes){0}, MERKLE_SIZE_MAX + 1, &leaves[1]) == ERR_RANGE);
}

int main(void)
{
    make_leaves();
    RUN(roots_are_those_of_certificate_transparency);
    RUN(long_entries_hash_like_short_ones);
    RUN(frontier_agrees_with_the_recursion);
    RUN(every_inclusion_proof_holds_and_no_other);
    RUN(every_consistency_proof_holds_and_no_other);
    RUN(proofs_of_large_trees_hold);
    RUN(the_largest_trees_fit_into_proofs);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
