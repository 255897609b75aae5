/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/split.h"

#include <math.h>
#include <stdbool.h>

uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15U;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

/* Moves count rows, chosen at random without bias worth speaking of, to the front. */
static void draw(uint32_t *rows, size_t n, size_t count, uint64_t *state)
{
    for (size_t i = 0; i < count; i++) {
        size_t j = i + (size_t)(random_next(state) % (n - i));
        uint32_t row = rows[i];

        rows[i] = rows[j];
        rows[j] = row;
    }
}

/* The rows of one class into out. */
static size_t gather(const struct split_plan *plan, size_t class, uint32_t *out)
{
    size_t count = 0;

    for (size_t r = 0; r < plan->rows; r++)
        if (plan->classes == NULL || plan->classes[r] == class)
            out[count++] = (uint32_t)r;
    return count;
}

static void hold_out(const struct split_plan *plan, uint32_t *members, bool *held)
{
    size_t groups = plan->classes == NULL ? 1 : plan->class_count;
    uint64_t state = plan->seed;

    for (size_t g = 0; g < groups; g++) {
        size_t n = gather(plan, g, members);
        size_t count = (size_t)llround(plan->fraction * (double)n);

        if (count >= n)
            count = n == 0 ? 0 : n - 1;
        draw(members, n, count, &state);
        for (size_t i = 0; i < count; i++)
            held[members[i]] = true;
    }
}

enum err split_rows(struct split *s, const struct split_plan *plan, struct pool *pool,
                    struct refusal *why)
{
    uint32_t *members;
    bool *held;

    *s = (struct split){0};
    TRY(pool_get(pool, plan->rows, sizeof(*held), &held, why));
    TRY(pool_get(pool, plan->rows, sizeof(*members), &members, why));
    TRY(pool_get(pool, plan->rows, sizeof(*s->train), &s->train, why));
    TRY(pool_get(pool, plan->rows, sizeof(*s->test), &s->test, why));
    hold_out(plan, members, held);
    for (size_t r = 0; r < plan->rows; r++)
        if (held[r])
            s->test[s->test_count++] = (uint32_t)r;
        else
            s->train[s->train_count++] = (uint32_t)r;
    return OK;
}
