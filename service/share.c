/* SPDX-License-Identifier: Apache-2.0 */
#include "service/share.h"

#include "service/worker.h"

enum { ALL_OF_ONE = 4, THREADS_OF_LEFT = 4, FIRST_GUESS_US = 100 };

void shares_prepare(struct shares *s, unsigned threads, unsigned most, unsigned length_max)
{
    *s = (struct shares){.threads = threads, .most = most, .length_max = length_max};
    for (int i = 0; i < FLOWS; i++) {
        s->flows[i].last = &s->flows[i].first;
        s->flows[i].most = most;
        s->flows[i].last_us = FIRST_GUESS_US;
    }
    if (most > 1)
        s->flows[FLOW_SIGN_IN].most = most / 2;
}

static struct share *flow_of(struct shares *s, uint64_t flow)
{
    return &s->flows[flow < FLOWS_NAMED ? flow : FLOWS_NAMED + flow % (FLOWS - FLOWS_NAMED)];
}

/* From here on its time counts beside that of the others; what it did not use before is lost. */
static void begin_to_wait(struct shares *s, struct share *f)
{
    if (f->used_us < s->clock_us)
        f->used_us = s->clock_us;
    f->next = s->waiting;
    s->waiting = f;
}

bool shares_put(struct shares *s, struct task *t, uint64_t flow, bool forced)
{
    struct share *f = flow_of(s, flow);

    if (!forced && (f->length >= s->length_max || s->length / ALL_OF_ONE >= s->length_max))
        return false;
    if (f->length == 0)
        begin_to_wait(s, f);
    t->next = NULL;
    *f->last = t;
    f->last = &t->next;
    f->length++;
    s->length++;
    return true;
}

static bool may_run(const struct shares *s, const struct share *f)
{
    unsigned left = s->threads - s->busy;

    return f->running == 0 || (f->running < f->most && f->running < THREADS_OF_LEFT * left);
}

/* Where the pointer to the flow whose turn it is stands; NULL for none. */
static struct share *const *turn(const struct shares *s)
{
    struct share *const *best = NULL;

    for (struct share *const *at = &s->waiting; *at != NULL; at = &(*at)->next)
        if (may_run(s, *at) && (best == NULL || (*at)->used_us < (*best)->used_us))
            best = at;
    return best;
}

bool shares_ready(const struct shares *s)
{
    return s->waiting != NULL && turn(s) != NULL;
}

static struct task *cut(struct share *f, unsigned count)
{
    struct task *first = f->first;
    struct task *last = first;

    for (unsigned i = 1; i < count; i++)
        last = last->next;
    f->first = last->next;
    if (f->first == NULL)
        f->last = &f->first;
    last->next = NULL;
    f->length -= count;
    return first;
}

static void stop_waiting(struct shares *s, struct share *f)
{
    struct share **at = &s->waiting;

    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
}

struct task *shares_take(struct shares *s, unsigned at_once, struct share **from)
{
    struct share *const *at = turn(s);
    struct share *f = at == NULL ? NULL : *at;
    struct task *first;
    unsigned count;

    *from = f;
    if (f == NULL)
        return NULL;
    count = 1 + (f->length - 1) / s->most;
    if (count > at_once)
        count = at_once;
    first = cut(f, count);
    s->length -= count;
    s->clock_us = f->used_us;
    f->used_us += f->last_us; /* until it is known */
    f->running++;
    s->busy++;
    if (f->length == 0)
        stop_waiting(s, f);
    return first;
}

void shares_done(struct shares *s, struct share *from, int64_t took_us)
{
    from->used_us += took_us - from->last_us;
    from->last_us = took_us;
    from->running--;
    s->busy--;
}
