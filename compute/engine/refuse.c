/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/refuse.h"

#include <stdarg.h>
#include <stdio.h>

enum err refuse(struct refusal *why, enum err code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    why->code = code;
    (void)vsnprintf(why->text, sizeof(why->text), format, args);
    va_end(args);
    return code;
}

const char *refusal_slug(const struct refusal *why)
{
    if (why->code == ERR_CONTENT)
        return "content";
    if (why->code == ERR_INVALID)
        return "invalid";
    return why->code == ERR_TOO_LARGE ? "limit" : "internal";
}
