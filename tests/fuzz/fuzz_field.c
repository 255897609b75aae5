/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of requests: whatever JSON comes, a struct is filled or a member is named. */
#include "core/field.h"

#include <stdlib.h>
#include <string.h>

struct inner {
    int64_t count;
    const char *label;
};

struct outer {
    const char *name;
    const char *text;
    const char *at;
    const char *verdict;
    int64_t number;
    double real;
    bool flag;
    json_t *any;
    json_t *object;
    struct texts list;
    struct inner inner;
};

static const char *const verdicts[] = {"approve", "reject", NULL};

static const struct field inner_fields[] = {
    INT(struct inner, count, -5, 5),
    OPT_TEXT(struct inner, label, 10),
    FIELDS_END,
};

static const struct field outer_fields[] = {
    NAME(struct outer, name),
    OPT_TEXT(struct outer, text, 20),
    OPT_TIME(struct outer, at),
    OPT_CHOICE(struct outer, verdict, verdicts),
    OPT_INT(struct outer, number, 0, 100),
    OPT_REAL(struct outer, real),
    OPT_BOOL(struct outer, flag),
    OPT_JSON(struct outer, any),
    OPT_OBJECT(struct outer, object),
    OPT_TEXTS(struct outer, list, 4),
    RECORD(struct outer, inner, inner_fields),
    FIELDS_END,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *body = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    struct arena *a = arena_new();
    struct outer out = {.name = NULL};
    const char *why = NULL;
    enum err e = field_from_json(a, outer_fields, body, &out, &why);

    if (e == OK) {
        json_t *back = field_to_json(outer_fields, &out);

        if (strlen(out.name) > 63 || out.number < 0 || out.number > 100 || out.list.count > 4)
            abort();
        json_decref(back);
    } else if (why == NULL || *why == '\0') {
        abort(); /* a refusal always says why */
    }
    json_decref(body);
    arena_free(a);
    return 0;
}
