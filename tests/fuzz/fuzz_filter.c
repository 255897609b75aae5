/* SPDX-License-Identifier: Apache-2.0 */
/* Search filters: clauses or a reason, and SQL in which nothing from outside stands. */
#include "registry/where.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct where_attribute attributes[] = {
    {" start_time ", "c", true}, {" run_name run name ", "c", false}, {.names = NULL}};
static const struct where_named named[] = {{" metrics ", "E(k=$%d AND ", "v", true},
                                           {" tags params ", "E(k=$%d AND ", "v", false},
                                           {.entities = NULL}};
static const struct where_subject subject = {attributes, named, " attribute "};

/* Every byte of the SQL is one that the program's own texts have. */
static bool ours(const char *sql)
{
    return sql == NULL ||
           sql[strspn(sql, " ANDELIKSCPYOTU()=<>~$:[]'0123456789ckvtexfloa8")] == '\0';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new();
    struct request rq = {.arena = a, .reply = {.fd = -1}};
    char *text = arena_copy(a, (const char *)data, size);
    struct where *w = where_new(a);
    struct filter_order order;
    const char *why = NULL;
    struct filter f;

    w->patterns = true;
    if (filter_parse(a, text, &f, &why) != OK) {
        if (why == NULL)
            abort();
    } else if (where_filter(&rq, w, &subject, &f) == OK && !w->full && !ours(w->sql.data)) {
        abort();
    }
    if (filter_order_parse(a, text, &order, &why) == OK && order.key == NULL)
        abort();
    arena_free(a);
    return 0;
}
