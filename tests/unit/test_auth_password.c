/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/sign_in/password.h"

#include "auth/sign_in/delay.h"
#include "core/source.h"
#include "core/text.h"
#include "tests/unit/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
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
    CHECK(password_check(one, "correct horse battery", PASSWORD_IN_TURN) == OK);
    CHECK(password_check(one, "correct horse batterz", PASSWORD_IN_TURN) == ERR_CREDENTIALS);
    CHECK(password_check(one, "", PASSWORD_IN_TURN) == ERR_CREDENTIALS);
    CHECK(password_check("not a hash", "correct horse battery", PASSWORD_IN_TURN) ==
          ERR_CREDENTIALS);
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

    return password_check(phc, "a wrong password", PASSWORD_IN_TURN) == OK ? -1
                                                                           : spent_us() - start;
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
    CHECK(password_check(NULL, "correct horse battery", PASSWORD_IN_TURN) == ERR_CREDENTIALS);
    somebody = best_time_of(phc);
    nobody = best_time_of(NULL);
    arena_free(a);
    CHECK(nobody * 2 >= somebody && somebody * 2 >= nobody);
}

static atomic_int refused;
static atomic_int answered;

static void *guess(void *unused)
{
    enum err e = password_check(NULL, "a guess", PASSWORD_IN_TURN);

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
    CHECK(answered >= 17); /* one at work and sixteen waiting are served */
}

/* Somebody who is known is not kept waiting by those who are not, however many they are. */
static void *crowd(void *done)
{
    while (!atomic_load((atomic_bool *)done))
        (void)guess(NULL);
    return NULL;
}

static void whoever_is_known_goes_ahead(void)
{
    pthread_t threads[16];
    atomic_bool done = false;
    struct timespec from;
    struct timespec to;
    double alone;
    double among;

    (void)clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < 10; i++)
        CHECK(password_check(NULL, "mine", PASSWORD_AHEAD) == ERR_CREDENTIALS);
    (void)clock_gettime(CLOCK_MONOTONIC, &to);
    alone = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
    for (int i = 0; i < 16; i++)
        CHECK(pthread_create(&threads[i], NULL, crowd, &done) == 0);
    (void)clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < 10; i++)
        CHECK(password_check(NULL, "mine", PASSWORD_AHEAD) == ERR_CREDENTIALS);
    (void)clock_gettime(CLOCK_MONOTONIC, &to);
    atomic_store(&done, true);
    for (int i = 0; i < 16; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    among = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
    CHECK(among < alone * 6); /* in turn it would be nine times, on two cores */
}

static int64_t before(const char *account, const char *source, const char *known, int64_t now)
{
    return delay_before(&(struct attempt){account, source, known}, now);
}

static void failed(const char *account, const char *source, const char *known, int64_t now)
{
    delay_failed(&(struct attempt){account, source, known}, now);
}

static void failures_double_the_wait(void)
{
    int64_t now = SECOND;
    int64_t last = 0;

    for (int i = 0; i < 5; i++) {
        CHECK(before("t/ann", "10.0.0.1", NULL, now) == 0);
        failed("t/ann", "10.0.0.1", NULL, now);
    }
    for (int i = 0; i < 8; i++) {
        int64_t wait = before("t/ann", "10.0.0.1", NULL, now);

        CHECK(wait > last || wait == 60 * SECOND);
        last = wait;
        now += wait;
        CHECK(before("t/ann", "10.0.0.1", NULL, now) == 0);
        failed("t/ann", "10.0.0.1", NULL, now);
    }
    CHECK(last == 60 * SECOND);
    CHECK(before("t/ann", "10.0.0.2", NULL, now) == 0); /* nobody is locked out from elsewhere */
    CHECK(before("t/bob", "10.0.0.1", NULL, now) == 0);
    delay_succeeded(&(struct attempt){"t/ann", "10.0.0.1", NULL});
    CHECK(before("t/ann", "10.0.0.1", NULL, now) == 0);
}

static void many_names_from_one_source_are_slowed(void)
{
    char name[32];
    int64_t now = SECOND;

    for (int i = 0; i < 120; i++) {
        (void)snprintf(name, sizeof(name), "t/user-%d", i);
        failed(name, "10.9.9.9", NULL, now);
    }
    CHECK(before("t/somebody-new", "10.9.9.9", NULL, now) > 0);
    CHECK(delay_of_source("10.9.9.9", now) > 0 && delay_of_source("10.9.9.8", now) == 0);
    CHECK(before("t/somebody-new", "10.9.9.8", NULL, now) == 0);
    CHECK(before("t/somebody-new", "10.9.9.9", NULL, now + 1000 * SECOND) == 0);
}

static void a_slow_trickle_from_one_source_is_forgiven(void)
{
    char name[32];

    for (int i = 0; i < 1000; i++) {
        (void)snprintf(name, sizeof(name), "t/trickle-%d", i);
        failed(name, "10.8.8.8", NULL, SECOND + (int64_t)i * 4 * SECOND);
    }
    CHECK(before("t/somebody-else", "10.8.8.8", NULL, SECOND + 4000 * SECOND) == 0);
}

/* A thousand sources, each with fewer guesses than are free: those who are not known wait, from
 * wherever they come, and who is known does not. */
static void guesses_from_everywhere_reach_nobody_who_is_known(void)
{
    char source[32];
    int64_t now = SECOND;

    for (int i = 0; i < 1000; i++) {
        (void)snprintf(source, sizeof(source), "10.7.%d.%d", i / 250, i % 250);
        failed("t/cat", source, NULL, now);
    }
    CHECK(before("t/cat", "10.6.0.1", NULL, now) > 0);
    CHECK(before("t/cat", "10.6.0.1", "her-browser", now) == 0);
    CHECK(before("t/dog", "10.6.0.1", NULL, now) == 0);
    CHECK(before("t/cat", "10.6.0.1", NULL, now + 60 * SECOND) == 0);
    for (int i = 0; i < 6; i++)
        failed("t/cat", "10.6.0.1", "her-browser", now);
    CHECK(before("t/cat", "10.6.0.1", "her-browser", now) > 0); /* its own guesses do count */
    CHECK(before("t/cat", "10.6.0.1", "another-browser", now) == 0);
}

static void an_address_stands_for_what_one_customer_has(void)
{
    char one[SOURCE_SIZE];
    char two[SOURCE_SIZE];

    source_of("10.0.0.1", one);
    CHECK(strcmp(one, "10.0.0.1") == 0);
    source_of("2001:db8:1:2:3:4:5:6", one);
    source_of("2001:db8:1:2::1", two);
    CHECK(strcmp(one, two) == 0);
    source_of("2001:db8:1:3::1", two);
    CHECK(strcmp(one, two) != 0);
}

int main(void)
{
    RUN(a_password_fits_its_own_hash_only);
    RUN(nobody_takes_as_long_as_somebody);
    RUN(a_crowd_is_turned_away_at_the_door);
    RUN(whoever_is_known_goes_ahead);
    RUN(failures_double_the_wait);
    RUN(many_names_from_one_source_are_slowed);
    RUN(a_slow_trickle_from_one_source_is_forgiven);
    RUN(guesses_from_everywhere_reach_nobody_who_is_known);
    RUN(an_address_stands_for_what_one_customer_has);
    return failures != 0;
}
