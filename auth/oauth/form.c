/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/oauth/form.h"

#include <string.h>

char *form_decode(struct arena *a, const char *text, size_t length)
{
    char *out = arena_alloc(a, length + 1);
    long n = percent_decode(text, length, true, out);

    return n >= 0 && memchr(out, '\0', (size_t)n) == NULL && utf8_valid(out, (size_t)n) ? out
                                                                                        : NULL;
}

static enum err add(struct arena *a, struct form *f, const char *name, const char *value,
                    const char **why)
{
    if (*value == '\0')
        return OK;
    if (form_get(f, name) != NULL) {
        *why = arena_printf(a, "%s is said twice", name);
        return ERR_INVALID;
    }
    if (f->count == FORM_MAX) {
        *why = "there are more than 64 parameters";
        return ERR_INVALID;
    }
    f->pairs[f->count++] = (struct pair){.name = name, .value = value};
    return OK;
}

static const char *find(const char *from, const char *end, char c)
{
    const char *at = memchr(from, c, (size_t)(end - from));

    return at == NULL ? end : at;
}

static enum err read_pair(struct arena *a, struct form *f, const char *from, const char *end,
                          const char **why)
{
    const char *equals = find(from, end, '=');
    const char *after = equals == end ? end : equals + 1;
    const char *name = form_decode(a, from, (size_t)(equals - from));
    const char *value = form_decode(a, after, (size_t)(end - after));

    if (name == NULL || value == NULL) {
        *why = name == NULL ? "the name of a parameter is not well formed"
                            : arena_printf(a, "%s is not well formed", name);
        return ERR_INVALID;
    }
    return add(a, f, name, value, why);
}

enum err form_parse(struct arena *a, const char *text, size_t length, struct form *out,
                    const char **why)
{
    const char *p = text;
    const char *end = text + length;

    *out = (struct form){.count = 0};
    while (p < end) {
        const char *stop = find(p, end, '&');

        TRY(read_pair(a, out, p, stop, why));
        p = stop + 1;
    }
    return OK;
}

static bool is_form(const char *type)
{
    static const char form[] = "application/x-www-form-urlencoded";

    return type != NULL && strncasecmp(type, form, sizeof(form) - 1) == 0 &&
           strchr("; \t", type[sizeof(form) - 1]) != NULL; /* or the end */
}

enum err form_body(struct request *rq, struct form *out)
{
    const char *why = "";

    *out = (struct form){.count = 0};
    if (!is_form(request_header(rq, "content-type")))
        return fail(rq, ERR_INVALID, "the body must be application/x-www-form-urlencoded");
    if (rq->raw_length > 0 && form_parse(rq->arena, rq->raw, rq->raw_length, out, &why) != OK)
        return fail(rq, ERR_INVALID, "%s", why);
    return OK;
}

enum err form_query(struct request *rq, struct form *out)
{
    const char *why = "";

    *out = (struct form){.count = 0};
    for (size_t i = 0; i < rq->query_count; i++)
        if (add(rq->arena, out, rq->query[i].name, rq->query[i].value, &why) != OK)
            return fail(rq, ERR_INVALID, "%s", why);
    return OK;
}

const char *form_get(const struct form *f, const char *name)
{
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->pairs[i].name, name) == 0)
            return f->pairs[i].value;
    return NULL;
}
