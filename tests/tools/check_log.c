/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/verify.h"

#include <stdio.h>
#include <stdlib.h>

/* check_log DIRECTORY VKEY: verify an exported log, one line a problem. */

static void print(void *context, const struct log_problem *p)
{
    (void)context;
    (void)printf("%s: %s: leaf %lld: %s\n", p->file, log_trouble_text(p->trouble),
                 p->leaf == LOG_NO_LEAF ? -1 : (long long)p->leaf, p->detail);
}

int main(int argc, char **argv)
{
    struct log_watcher watcher = {.problem = print};
    struct log_summary s;
    struct note_key key;
    bool whole;

    if (argc != 3 || note_vkey_parse(argv[2], &key) != OK) {
        (void)fputs("usage: check_log DIRECTORY VKEY\n", stderr);
        return EXIT_FAILURE;
    }
    whole = log_verify_directory(argv[1], &key, 1, &watcher, &s);
    (void)printf("%s: size %llu, %llu entries proven, %llu problems\n", s.checkpoint.origin,
                 (unsigned long long)s.checkpoint.size, (unsigned long long)s.entries,
                 (unsigned long long)s.problems);
    return whole ? EXIT_SUCCESS : EXIT_FAILURE;
}
