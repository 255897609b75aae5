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

#define RUN(test) ((void)puts(#test), test())

#endif
