/* SPDX-License-Identifier: Apache-2.0 */
#include "core/err.h"

static const struct {
    unsigned status;
    const char *slug;
    const char *meaning;
} errs[ERR_COUNT] = {
#define ERR(name, status, slug, meaning) [name] = {status, slug, meaning},
#include "core/err.def"
#undef ERR
};

unsigned err_status(enum err e)
{
    return errs[e].status;
}

const char *err_slug(enum err e)
{
    return errs[e].slug;
}

const char *err_meaning(enum err e)
{
    return errs[e].meaning;
}
