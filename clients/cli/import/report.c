/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/import/report.h"

#include "clients/cli/http.h"
#include "clients/cli/print.h"

#include <stdarg.h>

enum { NAMED_MAX = 1000 };

static const char *const names[KINDS] = {
    "experiments", "runs",       "parameters",    "tags",        "metrics",           "inputs",
    "files",       "file-bytes", "logged-models", "model-links", "registered-models", "prompts",
    "versions",    "aliases",
};

struct report {
    struct arena *arena; /* of the whole command */
    int64_t source[KINDS];
    int64_t here[KINDS];
    int64_t wrote[KINDS];
    json_t *differences;
    json_t *waiting;
    json_t *renamed;
    int64_t waits[KINDS];
    size_t differing; /* named or not */
    bool dry;
};

struct report *report_new(const struct cli *c, bool dry)
{
    struct report *r = arena_alloc(c->arena, sizeof(*r));

    r->arena = c->arena;
    r->dry = dry;
    r->differences = keep(c, json_array());
    r->waiting = keep(c, json_array());
    r->renamed = keep(c, json_array());
    return r;
}

void report_count(struct report *r, enum kind kind, int64_t source, int64_t here)
{
    r->source[kind] += source;
    r->here[kind] += here;
}

void report_wrote(struct report *r, enum kind kind, int64_t count)
{
    r->wrote[kind] += count;
}

static void add(json_t *list, const char *what, const char *why)
{
    if (json_array_size(list) < NAMED_MAX)
        (void)json_array_append_new(list, json_pack("{s:s, s:s}", "what", what, "why", why));
}

void report_differs(struct report *r, const char *what, const char *format, ...)
{
    va_list args;

    r->differing++;
    va_start(args, format);
    if (json_array_size(r->differences) < NAMED_MAX)
        add(r->differences, what, arena_vprintf(r->arena, format, args));
    va_end(args);
}

size_t report_differences(const struct report *r)
{
    return r->differing;
}

void report_renamed(struct report *r, const char *what, const char *name)
{
    add(r->renamed, what, name);
}

void report_waits(struct report *r, enum kind kind, const char *what, const char *format, ...)
{
    va_list args;

    r->waits[kind]++;
    va_start(args, format);
    add(r->waiting, what, arena_vprintf(r->arena, format, args));
    va_end(args);
}

static json_t *tallies(const struct report *r)
{
    json_t *list = json_array();

    for (size_t i = 0; i < KINDS; i++)
        (void)json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:I}", "kind", names[i],
                                                    "source", (json_int_t)r->source[i], "here",
                                                    (json_int_t)r->here[i], "written",
                                                    (json_int_t)r->wrote[i]));
    return list;
}

static void count_check(struct report *r)
{
    for (size_t i = 0; i < KINDS && !r->dry; i++)
        if (r->source[i] != r->here[i] + r->waits[i] && r->differing == 0)
            report_differs(r, names[i], "the source has %lld, here are %lld",
                           (long long)r->source[i], (long long)r->here[i]);
}

int report_end(const struct cli *c, struct report *r)
{
    json_t *whole;

    count_check(r);
    whole = keep(c, json_pack("{s:b, s:o, s:O, s:O, s:O}", "agrees", r->differing == 0, "counts",
                              tallies(r), "differences", r->differences, "waiting", r->waiting,
                              "renamed", r->renamed));
    if (c->json) {
        print_json(whole);
    } else if (!c->quiet) {
        print_array(c, NULL, json_object_get(whole, "counts"),
                    "KIND=kind,SOURCE=source>,HERE=here>,WRITTEN=written>");
        print_array(c, "\nnamed otherwise here:", r->renamed, "WHAT=what,HERE=why");
        print_array(c, "\nwaiting for people here:", r->waiting, "WHAT=what,WHY=why");
        print_array(c, "\nnot as at the source:", r->differences, "WHAT=what,WHY=why");
    }
    if (r->differing == 0)
        return DONE;
    note(c, "%zu differences", r->differing);
    return UNVERIFIED;
}
