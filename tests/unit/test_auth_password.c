/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/password.h"

#include "auth/delay.h"
#include "core/text.h"
#include "tests/unit/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CROWD = 30, SECOND = 1000 };

static void a_password_fits_its_own_hash_only(void)
{
    struct arena *a = arena_new();
    const char *one = NULL;
    const char *two = NULL;

    CHECK(password_hash(a, "correct horse battery", &one) == OK);
    CHECK(password_hash(a, "correct horse battery", &two) == OK);
    CHECK(strncmp(one, "$argon2id$v=19$m=47104,t=1,p=1$", 31) == 0);
    CHECK(strcmp(one, two) != 0);
    CHECK(password_check(one, "correct horse battery") == OK);
    CHECK(password_check(one, "correct horse batterz") == ERR_CREDENTIALS);
    CHECK(password_check(one, "") == ERR_CREDENTIALS);
    CHECK(password_check("not a hash", "correct horse battery") == ERR_CREDENTIALS);
    arena_free(a);
}

/* Of the processor, so that a busy machine does not decide. */
static int64_t spent_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t time_of(const char *phc)
{
    int64_t start = spent_us();

    return password_check(phc, "a wrong password") == OK ? -1 : spent_us() - start;
}

/* The fastest of several, so that a busy machine does not decide. */
static int64_t best_time_of(const char *phc)
{
    int64_t best = INT64_MAX;

    for (int i = 0; i < 5; i++) {
        int64_t t = time_of(phc);

        best = t < best ? t : best;
    }
    return best;
}

static void nobody_takes_as_long_as_somebody(void)
{
    struct arena *a = arena_new();
    const char *phc = NULL;
    int64_t somebody;
    int64_t nobody;

    CHECK(password_hash(a, "correct horse battery", &phc) == OK);
    CHECK(password_check(NULL, "correct horse battery") == ERR_CREDENTIALS);
    somebody = best_time_of(phc);
    nobody = best_time_of(NULL);
    arena_free(a);
    CHECK(nobody * 2 >= somebody && somebody * 2 >= nobody);
}

static atomic_int refused;
static atomic_int answered;

static void *guess(void *unused)
{
    enum err e = password_check(NULL, "a guess");

    (void)unused;
    atomic_fetch_add(e == ERR_RATE ? &refused : &answered, 1);
    return NULL;
}

static void a_crowd_is_turned_away_at_the_door(void)
{
    pthread_t threads[CROWD];

    for (int i = 0; i < CROWD; i++)
        CHECK(pthread_create(&threads[i], NULL, guess, NULL) == 0);
    for (int i = 0; i < CROWD; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(refused + answered == CROWD);
    CHECK(answered >= 18); /* two at work and sixteen waiting are served */
}

static void failures_double_the_wait(void)
{
    int64_t now = SECOND;
    int64_t last = 0;

    for (int i = 0; i < 5; i++) {
        CHECK(delay_before("t/ann", "10.0.0.1", now) == 0);
        delay_failed("t/ann", "10.0.0.1", now);
    }
    for (int i = 0; i < 8; i++) {
        int64_t wait = delay_before("t/ann", "10.0.0.1", now);

        CHECK(wait > last || wait == 60 * SECOND);
        last = wait;
        now += wait;
        CHECK(delay_before("t/ann", "10.0.0.1", now) == 0);
        delay_failed("t/ann", "10.0.0.1", now);
    }
    CHECK(last == 60 * SECOND);
    CHECK(delay_before("t/ann", "10.0.0.2", now) == 0); /* nobody is locked out from elsewhere */
    CHECK(delay_before("t/bob", "10.0.0.1", now) == 0);
    delay_succeeded("t/ann", "10.0.0.1");
    CHECK(delay_before("t/ann", "10.0.0.1", now) == 0);
}

static void many_names_from_one_source_are_slowed(void)
{
    char name[32];
    int64_t now = SECOND;

    for (int i = 0; i < 120; i++) {
        (void)snprintf(name, sizeof(name), "t/user-%d", i);
        delay_failed(name, "10.9.9.9", now);
    }
    CHECK(delay_before("t/somebody-new", "10.9.9.9", now) > 0);
    CHECK(delay_before("t/somebody-new", "10.9.9.8", now) == 0);
    CHECK(delay_before("t/somebody-new", "10.9.9.9", now + 1000 * SECOND) == 0);
}

static void a_slow_trickle_from_one_source_is_forgiven(void)
{
    for (int i = 0; i < 1000; i++)
        delay_failed("t/everyone", "10.8.8.8", SECOND + (int64_t)i * 4 * SECOND);
    CHECK(delay_before("t/somebody-else", "10.8.8.8", SECOND + 4000 * SECOND) == 0);
}

int main(void)
{
    RUN(a_password_fits_its_own_hash_only);
    RUN(nobody_takes_as_long_as_somebody);
    RUN(a_crowd_is_turned_away_at_the_door);
    RUN(failures_double_the_wait);
    RUN(many_names_from_one_source_are_slowed);
    RUN(a_slow_trickle_from_one_source_is_forgiven);
    return failures != 0;
}
