/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/form.h"

#include <ctype.h>
#include <string.h>

const char *form_encode(struct arena *a, const char *text)
{
    static const char digits[] = "0123456789ABCDEF";
    char *out = arena_alloc(a, strlen(text) * 3 + 1);
    size_t n = 0;

    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
        if (*p < 0x80 && (isalnum(*p) || strchr("-._~", *p) != NULL)) {
            out[n++] = (char)*p;
            continue;
        }
        out[n++] = '%';
        out[n++] = digits[*p >> 4];
        out[n++] = digits[*p & 15];
    }
    return out;
}
