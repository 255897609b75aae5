/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_REGISTRY_DB_H
#define UNIT_REGISTRY_DB_H

#include "registry/asset.h"
#include "registry/blob.h"
#include "registry/version.h"
#include "tests/unit/lineage_db.h"

#include <fcntl.h>
#include <unistd.h>

/* A store and a project of the test's own, in tenant a: alice made it, bob is somebody else, bot is
 * bob's service account, carol owns nothing. */

static const char alice[] = "00000000-0000-7000-8000-0000000000a1";
static const char bob[] = "00000000-0000-7000-8000-0000000000b1";
static const char bot[] = "00000000-0000-7000-8000-0000000000b2";
static const char carol[] = "00000000-0000-7000-8000-0000000000c1";
static const char project[] = "00000000-0000-7000-8000-0000000000d1";
static char store[64] = "/tmp/chancery-store-XXXXXX";

__attribute__((unused)) static bool person_row(const char *id, const char *name, const char *owner)
{
    return sql("INSERT INTO principal (tenant_id, id, kind, name, owner_id)"
               " VALUES ('%s', '%s', '%s', '%s', nullif('%s', '')::uuid)",
               tenant_a, id, owner == NULL ? "user" : "service", name, owner == NULL ? "" : owner);
}

__attribute__((unused)) static bool registry_begin(const char *policy)
{
    return mkdtemp(store) != NULL && scratch_start() && blob_start(store) == OK &&
           sql("SELECT set_config('app.tenant', '%s', false)", tenant_a) &&
           sql("INSERT INTO authz_epoch (tenant_id, epoch) VALUES ('%s', 1)", tenant_a) &&
           person_row(alice, "alice", NULL) && person_row(bob, "bob", NULL) &&
           person_row(bot, "bot", bob) && person_row(carol, "carol", NULL) &&
           sql("INSERT INTO project (tenant_id, id, name, policy, created_by) VALUES"
               " ('%s', '%s', 'credit', '%s', '%s')",
               tenant_a, project, policy, alice);
}

__attribute__((unused)) static void registry_end(void)
{
    char command[128];

    scratch_stop();
    (void)snprintf(command, sizeof(command), "rm -rf %s", store);
    if (system(command) != 0)
        (void)puts("the store could not be removed");
}

/* A file of the given text in the store's directory; its description is in static memory. */
__attribute__((unused)) static void make_file(const char *text, char path[128],
                                              struct version_file *file, char hex[65])
{
    struct digest d = sha256_of(text, strlen(text));
    static _Atomic unsigned count;
    FILE *f;

    (void)snprintf(path, 128, "%s/in-%u", store, count++);
    f = fopen(path, "w");
    if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
        abort();
    hex_encode(d.bytes, SHA256_SIZE, hex);
    *file = (struct version_file){.path = "data.bin", .size = (int64_t)strlen(text), .sha256 = hex};
}

#endif
