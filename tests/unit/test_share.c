/* SPDX-License-Identifier: Apache-2.0 */
#include "service/share.h"

#include "service/worker.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

enum { THREADS = 5, MOST = 4, TASKS = 4000, TENANT_A = 1000, TENANT_B = 1001 };

static struct shares s;
static struct task tasks[TASKS];
static unsigned made;

static void prepare(void)
{
    made = 0;
    shares_prepare(&s, THREADS, MOST, 512);
}

static bool put(uint64_t flow)
{
    struct task *t = &tasks[made++];

    t->flow = flow;
    return shares_put(&s, t, flow, false);
}

static void one_flow_has_its_threads_and_its_order(void)
{
    struct share *from[MOST + 1];

    prepare();
    for (int i = 0; i < 10; i++)
        CHECK(put(TENANT_A));
    for (int i = 0; i < MOST; i++) {
        CHECK(shares_ready(&s));
        CHECK(shares_take(&s, 1, &from[i]) == &tasks[i]);
    }
    CHECK(!shares_ready(&s) && shares_take(&s, 1, &from[MOST]) == NULL);
    shares_done(&s, from[0], 100);
    CHECK(shares_take(&s, 1, &from[0]) == &tasks[MOST]);
    CHECK(s.length == 10 - MOST - 1 && s.busy == MOST);
}

/* However much is before it, another finds a thread. */
static void a_thread_is_left_for_another(void)
{
    struct share *from;
    int a = 0;

    prepare();
    for (int i = 0; i < 500; i++)
        CHECK(put(TENANT_A));
    while (shares_take(&s, 1, &from) != NULL)
        a++;
    CHECK(a == MOST);
    CHECK(put(TENANT_B) && shares_ready(&s));
    CHECK(shares_take(&s, 1, &from)->flow == TENANT_B);
    CHECK(!shares_ready(&s));
}

/* One thread's time is halved between two, however long their tasks take. */
static void time_is_shared_not_turns(void)
{
    int64_t spent[2] = {0, 0};
    struct share *from;

    prepare();
    for (int i = 0; i < 500; i++)
        CHECK(put(TENANT_A));
    for (int i = 0; i < 500; i++)
        CHECK(put(TENANT_B));
    for (int i = 0; i < 450; i++) {
        const struct task *t = shares_take(&s, 1, &from);
        int64_t took = t->flow == TENANT_A ? 10000 : 500 + rand() % 1000;

        spent[t->flow == TENANT_B] += took;
        shares_done(&s, from, took);
    }
    CHECK(spent[0] < spent[1] * 5 / 4 && spent[1] < spent[0] * 5 / 4);
}

/* Whoever was away for long has not saved anything up. */
static void idleness_earns_nothing(void)
{
    struct share *from;
    int b = 0;

    prepare();
    CHECK(put(TENANT_B));
    (void)shares_take(&s, 1, &from);
    shares_done(&s, from, 100);
    for (int i = 0; i < 300; i++) {
        CHECK(put(TENANT_A));
        (void)shares_take(&s, 1, &from);
        shares_done(&s, from, 1000);
    }
    for (int i = 0; i < 40; i++)
        CHECK(put(TENANT_A) && put(TENANT_B));
    for (int i = 0; i < 40; i++) {
        b += shares_take(&s, 1, &from)->flow == TENANT_B;
        shares_done(&s, from, 1000);
    }
    CHECK(b >= 18 && b <= 22);
}

static void a_full_queue_is_the_flows_own(void)
{
    int taken = 0;

    prepare();
    for (int i = 0; i < 600; i++)
        taken += put(TENANT_A);
    CHECK(taken == 512);
    CHECK(put(TENANT_B));
    CHECK(shares_put(&s, &tasks[made++], TENANT_A, true));
}

static void strangers_sign_in_on_half_of_the_threads(void)
{
    struct share *from;
    int signing_in = 0;

    prepare();
    for (int i = 0; i < 100; i++)
        CHECK(put(FLOW_SIGN_IN));
    while (shares_take(&s, 1, &from) != NULL)
        signing_in++;
    CHECK(signing_in == MOST / 2);
}

static void several_at_once_are_of_one_flow(void)
{
    struct share *from;
    const struct task *t;
    int count = 0;

    prepare();
    for (int i = 0; i < 40; i++)
        CHECK(put(i % 2 == 0 ? TENANT_A : TENANT_B));
    t = shares_take(&s, 8, &from);
    for (const struct task *each = t; each != NULL; each = each->next, count++)
        CHECK(each->flow == t->flow);
    CHECK(count == 5); /* of 20, for one of four threads */
    CHECK(s.length == 35);
}

int main(void)
{
    RUN(one_flow_has_its_threads_and_its_order);
    RUN(a_thread_is_left_for_another);
    RUN(time_is_shared_not_turns);
    RUN(idleness_earns_nothing);
    RUN(a_full_queue_is_the_flows_own);
    RUN(strangers_sign_in_on_half_of_the_threads);
    RUN(several_at_once_are_of_one_flow);
    return failures != 0;
}
