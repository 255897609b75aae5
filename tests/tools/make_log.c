/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tools/log_files.h"

/* make_log DIRECTORY COUNT [BATCH]: write a log of COUNT entries, grown BATCH at a time (4096),
 * under a fresh key whose vkey is printed. */
int main(int argc, char **argv)
{
    uint64_t count = 0, batch = 4096;
    char vkey[NOTE_VKEY_SIZE];
    struct log_files l;

    if (argc < 3 || argc > 4 || !uint_parse(argv[2], MERKLE_SIZE_MAX, &count) ||
        (argc == 4 && (!uint_parse(argv[3], LOG_BATCH_MAX, &batch) || batch == 0))) {
        (void)fputs("usage: make_log DIRECTORY COUNT [BATCH]\n", stderr);
        return EXIT_FAILURE;
    }
    if (!log_files_begin(&l, argv[1], "chancery.test/audit/tenant"))
        return EXIT_FAILURE;
    while (l.head.size < count) {
        uint64_t left = count - l.head.size;

        if (log_files_grow(&l, left < batch ? left : batch) != OK) {
            (void)fprintf(stderr, "cannot write below %s\n", argv[1]);
            return EXIT_FAILURE;
        }
    }
    if (log_files_sign(&l) != OK)
        return EXIT_FAILURE;
    note_vkey(&l.key, vkey);
    return puts(vkey) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
