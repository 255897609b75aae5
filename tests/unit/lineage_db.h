/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_LINEAGE_DB_H
#define UNIT_LINEAGE_DB_H

#include "core/db.h"
#include "core/text.h"
#include "lineage/audit.h"
#include "lineage/privacy/subject_key.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* A database of the test's own, and helpers to look into it. */

#define TENANT_A "00000000-0000-7000-8000-00000000000a"
#define PERSON   "00000000-0000-7000-8000-0000000000aa"
static const char tenant_a[] = TENANT_A;
static const char tenant_b[] = "00000000-0000-7000-8000-00000000000b";
static const char person[] = PERSON;

static struct {
    char host[256];
    char name[128];
    char dir[256];
    char app[512]; /* conninfo of the service's role */
    PGconn *super; /* who may tamper */
} scratch;

/* Statements as the superuser; false (and said why) when one fails. */
__attribute__((format(printf, 1, 2), unused)) static bool sql(const char *format, ...)
{
    va_list args;
    char *text;
    PGresult *result;
    bool done;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        abort();
    va_end(args);
    result = PQexec(scratch.super, text);
    done = PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK;
    if (!done)
        (void)printf("%s\n%s", text, PQresultErrorMessage(result));
    PQclear(result);
    free(text);
    return done;
}

/* One number; -1 when there is none. */
__attribute__((unused)) static long long number(const char *text)
{
    PGresult *result = PQexec(scratch.super, text);
    long long n = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1
                      ? strtoll(PQgetvalue(result, 0, 0), NULL, 10)
                      : -1;

    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        (void)printf("%s\n%s", text, PQresultErrorMessage(result));
    PQclear(result);
    return n;
}

/* The installation's key of the tests. */
static const uint8_t scratch_kek[SEAL_KEY] = {7};

static const char *scratch_kek_name(void)
{
    return "test";
}

static enum err scratch_wrap(const char *place, const uint8_t *key, uint8_t *wrapped)
{
    return seal(scratch_kek, place, key, SEAL_KEY, wrapped);
}

static enum err scratch_unwrap(const char *id, const char *place, const uint8_t *wrapped,
                               uint8_t *key)
{
    return strcmp(id, "test") == 0 ? unseal(scratch_kek, place, wrapped, WRAPPED_KEY, key)
                                   : ERR_NOT_FOUND;
}

static const struct audit_wrapping scratch_wrapping = {scratch_kek_name, scratch_wrap,
                                                       scratch_unwrap};

static bool scratch_start(void)
{
    FILE *f = popen("tests/tools/scratch_db.sh start", "r");
    char conninfo[1024];
    int read;

    audit_wrapping = &scratch_wrapping;
    if (f == NULL)
        return false;
    read = fscanf(f, "%255s %127s %255s", scratch.host, scratch.name, scratch.dir);
    if (pclose(f) != 0 || read != 3)
        return false;
    (void)snprintf(scratch.app, sizeof(scratch.app),
                   "host=%s dbname=%s user=chancery_app"
                   " options='-c client_min_messages=error'",
                   scratch.host, scratch.name);
    (void)snprintf(conninfo, sizeof(conninfo),
                   "host=%s dbname=%s user=postgres options='-c client_min_messages=warning'",
                   scratch.host, scratch.name);
    scratch.super = PQconnectdb(conninfo);
    return PQstatus(scratch.super) == CONNECTION_OK &&
           sql("INSERT INTO tenant (tenant_id, name) VALUES ('%s', 'a'), ('%s', 'b')", tenant_a,
               tenant_b);
}

static void scratch_stop(void)
{
    char command[1024];

    PQfinish(scratch.super);
    (void)snprintf(command, sizeof(command), "tests/tools/scratch_db.sh stop %s %s %s",
                   scratch.host, scratch.name, scratch.dir);
    if (system(command) != 0)
        (void)puts("the scratch database could not be removed");
}

/* Work in a transaction with an arena of its own. */
__attribute__((unused)) static enum err in_tx(struct db *db, enum tx kind, const char *tenant,
                                              enum err (*body)(void *arg), void *arg)
{
    struct arena *a = arena_new();
    enum err e;

    db->arena = a;
    e = db_tx(db, kind, tenant, body, arg);
    db->arena = NULL;
    arena_free(a);
    return e;
}

#endif
