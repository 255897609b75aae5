/* SPDX-License-Identifier: Apache-2.0 */
/* collect HOME CONNINFO: one pass of garbage collection without any grace, beside a service that
 * serves. Exit status 0: it went through. */
#include "registry/collect.h"
#include "core/db.h"
#include "registry/blob.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    struct db db = {.conninfo = argc == 3 ? argv[2] : NULL};
    struct collected c;
    enum err e;

    if (argc != 3) {
        (void)fprintf(stderr, "usage: collect HOME CONNINFO\n");
        return 2;
    }
    e = blob_start(argv[1]);
    if (e == OK)
        e = db_open(&db, db.conninfo);
    if (e == OK)
        e = collect_pass(&db, 0, true, &c);
    if (e == OK)
        (void)printf("%lld contents, %lld files, %lld uploads\n", (long long)c.rows,
                     (long long)c.files, (long long)c.uploads);
    else
        (void)fprintf(stderr, "collect: %s\n", err_meaning(e));
    db_close(&db);
    return e == OK ? 0 : 1;
}
