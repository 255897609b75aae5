/* SPDX-License-Identifier: Apache-2.0 */
/* Request targets: a route or a refusal, and never an argument that hides a path. */
#include "service/route.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
        for (size_t i = 0; i < PATH_ARGS_MAX && rq.args[i] != NULL; i++) {
            const char *arg = rq.args[i];

            if (*arg == '\0' || *arg == '/' || strstr(arg, "//") != NULL ||
                strchr(arg, '\\') != NULL || strcmp(arg, "..") == 0 ||
                strstr(arg, "/../") != NULL || strncmp(arg, "../", 3) == 0)
                abort();
        }
    } else if (rq.route != NULL) {
        abort();
    }
    arena_free(a);
    return 0;
}
