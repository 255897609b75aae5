/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_TEST_H
#define UNIT_TEST_H

#include <stdio.h>

/* The whole test framework. A test is a function; a failed CHECK says where and ends the test. */
static int failures;

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)printf("%s:%d: %s\n", __FILE__, __LINE__, #condition);                           \
            failures++;                                                                            \
            return;                                                                                \
        }                                                                                          \
    } while (0)

/* Run it and say how it went, one line a test, which tests/run.py counts. */
#define RUN(test)                                                                                  \
    do {                                                                                           \
        int before_ = failures;                                                                    \
        test();                                                                                    \
        (void)printf("%s %s\n", failures == before_ ? "ok" : "not ok", #test);                     \
        (void)fflush(stdout);                                                                      \
    } while (0)

#endif
