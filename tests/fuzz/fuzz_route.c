/* SPDX-License-Identifier: Apache-2.0 */
/* Request targets: a route or a refusal, and never an argument that hides a path. */
#include "service/route.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* pattern: the argument's own "{…}" in the route's line. */
static void look_at(const char *arg, const char *pattern)
{
    char kind = pattern == NULL ? '?' : pattern[strcspn(pattern, "}") - 1];

    if (*arg == '\0' || strchr(arg, '\\') != NULL || strcmp(arg, "..") == 0 ||
        strstr(arg, "/../") != NULL || strncmp(arg, "../", 3) == 0)
        abort();
    if (kind != '%' && (*arg == '/' || strstr(arg, "//") != NULL))
        abort();
    if (kind != '%' && kind != '+' && strchr(arg, '/') != NULL)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool open;
    struct arena *a = arena_new();
    struct request rq = {.arena = a, .reply = {.fd = -1}};
    char *target = arena_alloc(a, size + 1);

    if (!open)
        routes_open();
    open = true;
    memcpy(target, data, size); /* a NUL ends it early, as on the wire */
    if (route_find(&rq, size % 2 == 0 ? "GET" : "PUT", target) == OK) {
        const char *open_brace = rq.route->path;

        for (size_t i = 0; i < PATH_ARGS_MAX && rq.args[i] != NULL; i++) {
            open_brace = strchr(open_brace + 1, '{');
            look_at(rq.args[i], open_brace);
        }
    } else if (rq.route != NULL) {
        abort();
    }
    arena_free(a);
    return 0;
}
