/* SPDX-License-Identifier: Apache-2.0 */
#include "service/tool.h"

#include "service/process.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char debian[] = "/usr/lib/postgresql/";

const char *tool_find(struct arena *a, const struct config *c, const char *name)
{
    const char *best = NULL;
    unsigned long newest = 0;
    glob_t found;

    if (c->postgres_bin[0] != '\0') {
        best = arena_printf(a, "%s/%s", c->postgres_bin, name);
        return access(best, X_OK) == 0 ? best : NULL;
    }
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): no user names to expand, and the locale is fixed */
    if (glob(arena_printf(a, "%s*/bin/%s", debian, name), 0, NULL, &found) != 0)
        return NULL;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        unsigned long version = strtoul(found.gl_pathv[i] + sizeof(debian) - 1, NULL, 10);

        if (version < newest || access(found.gl_pathv[i], X_OK) != 0)
            continue;
        newest = version;
        best = arena_text(a, found.gl_pathv[i]);
    }
    globfree(&found);
    return best;
}

int tool_run(const char *const *arguments, const char *password)
{
    struct arena *a = arena_new();
    const char *const environment[] = {
        "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC",
        password == NULL || password[0] == '\0' ? NULL : arena_printf(a, "PGPASSWORD=%s", password),
        NULL};
    const struct process p = {
        .arguments = arguments, .environment = environment, .input = -1, .output = -1};
    int status = process_run(&p);

    arena_free(a);
    return status;
}
