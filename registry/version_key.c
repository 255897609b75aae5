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

bool version_key_parse(struct arena *a, const char *path, struct version_key *out)
{
    bool model = strncmp(path, "models/", 7) == 0;
    const char *name = path + (model ? 7 : 9);
    size_t length;

    if (!model && strncmp(path, "datasets/", 9) != 0)
        return false;
    length = strcspn(name, "/");
    out->kind = model ? "model" : "dataset";
    out->asset = arena_copy(a, name, length);
    return name_valid(out->asset) && strncmp(name + length, "/versions/", 10) == 0 &&
           version_key_number(name + length + 10, out);
}

const char *version_path(struct arena *a, const struct version *v)
{
    return arena_printf(a, "%ss/%s/versions/%lld", v->kind, v->asset, (long long)v->number);
}

const char *version_node(struct arena *a, const struct version *v)
{
    return arena_printf(a, "projects/%s/%s", v->project, version_path(a, v));
}
