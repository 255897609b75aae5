/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a form: no crash, and whatever is taken survives being written out and read again.
 */
#include "auth/oauth/form.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void comes_back(struct arena *a, const struct form *f)
{
    const char *text = "";
    const char *why = "";
    struct form again;

    for (size_t i = 0; i < f->count; i++)
        text =
            arena_printf(a, "%s%s%s=%s", text, i == 0 ? "" : "&",
                         percent_encode(a, f->pairs[i].name), percent_encode(a, f->pairs[i].value));
    if (form_parse(a, text, strlen(text), &again, &why) != OK || again.count != f->count)
        abort();
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(form_get(&again, f->pairs[i].name), f->pairs[i].value) != 0)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new();
    const char *why = "";
    struct form f;

    if (form_parse(a, (const char *)data, size, &f, &why) == OK)
        comes_back(a, &f);
    else if (*why == '\0')
        abort();
    arena_free(a);
    return 0;
}
