/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/version.h"

#include <string.h>

bool version_key_number(const char *text, struct version_key *out)
{
    uint64_t number = 0;

    out->number = 0;
    out->alias = NULL;
    if (*text == '@') {
        out->alias = text + 1;
        return name_valid(out->alias);
    }
    if (!uint_parse(text, INT32_MAX, &number) || number == 0)
        return false;
    out->number = (int64_t)number;
    return true;
}

/* What follows "models/", and "model". NULL when it begins with no kind. */
static const char *kind_of(const char *path, const char **kind)
{
    static const char *const kinds[] = {
#define ASSET_KIND(kind) kind,
#include "auth/kinds.def"
#undef ASSET_KIND
    };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t length = strlen(kinds[i]);

        *kind = kinds[i];
        if (strncmp(path, kinds[i], length) == 0 && strncmp(path + length, "s/", 2) == 0)
            return path + length + 2;
    }
    return NULL;
}

bool version_key_parse(struct arena *a, const char *path, struct version_key *out)
{
    const char *name = kind_of(path, &out->kind);
    size_t length;

    if (name == NULL)
        return false;
    length = strcspn(name, "/");
    out->asset = arena_copy(a, name, length);
    return name_valid(out->asset) && strncmp(name + length, "/versions/", 10) == 0 &&
           version_key_number(name + length + 10, out);
}

bool kind_is_facts(const char *kind)
{
    static const char *const kinds[] = {"environment", "component", "prompt", "flow", "connection"};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(kind, kinds[i]) == 0)
            return true;
    return false;
}

const char *version_path(struct arena *a, const struct version *v)
{
    return arena_printf(a, "%ss/%s/versions/%lld", v->kind, v->asset, (long long)v->number);
}

const char *version_node(struct arena *a, const struct version *v)
{
    return arena_printf(a, "projects/%s/%s", v->project, version_path(a, v));
}
