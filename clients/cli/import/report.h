/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMPORT_REPORT_H
#define IMPORT_REPORT_H

#include "clients/cli/cli.h"

#include <stdint.h>

/* What is counted, of every kind: at the source, and found here when it was read back. */
enum kind {
    EXPERIMENTS,
    RUNS,
    PARAMETERS,
    TAGS,
    METRICS, /* values, of whole histories */
    INPUTS,
    FILES,
    FILE_BYTES,
    LOGGED_MODELS,
    MODEL_LINKS,
    REGISTERED_MODELS,
    PROMPTS,
    VERSIONS,
    ALIASES,
    KINDS,
};

struct report;

struct report *report_new(const struct cli *c, bool dry);
void report_count(struct report *r, enum kind kind, int64_t source, int64_t here);
void report_wrote(struct report *r, enum kind kind, int64_t count);
/* Something of the source is not here as it is there. what names it, the rest says why. */
void report_differs(struct report *r, const char *what, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Something of a kind waits for people here: no difference. */
void report_waits(struct report *r, enum kind kind, const char *what, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* How many there are so far. */
size_t report_differences(const struct report *r);
/* A name that is another here. */
void report_renamed(struct report *r, const char *what, const char *name);
/* For people as a table, or as JSON; what the shell is told. */
int report_end(const struct cli *c, struct report *r);

#endif
