/* SPDX-License-Identifier: Apache-2.0 */
#include "service/lint.h"

#include "core/log.h"
#include "service/database.h"

#define IN_SCHEMA(column) #column " = 'chancery'::regnamespace"
#define HAS_TENANT(table)                                                                          \
    "EXISTS (SELECT FROM pg_attribute ten WHERE ten.attrelid = " #table                            \
    " AND ten.attname = 'tenant_id' AND NOT ten.attisdropped)"

static const struct rule {
    const char *id;
    const char *meaning;
    const char *query;
} rules[] = {
#define RULE(id, meaning, query) {id, meaning, query},
#include "service/lint.def"
#undef RULE
};

static enum err check(PGconn *conn, const struct rule *rule, int *findings)
{
    PGresult *rows = PQexec(conn, rule->query);

    if (PQresultStatus(rows) != PGRES_TUPLES_OK) {
        log_ours("catalogue lint %s: %s", rule->id, PQerrorMessage(conn));
        PQclear(rows);
        return ERR_INTERNAL;
    }
    for (int i = 0; i < PQntuples(rows); i++)
        log_ours("catalogue lint %s: %s: %s", rule->id, rule->meaning, PQgetvalue(rows, i, 0));
    *findings += PQntuples(rows);
    PQclear(rows);
    return OK;
}

enum err lint_run(const char *app_conninfo)
{
    PGconn *conn = database_connect(app_conninfo);
    enum err e = conn == NULL ? ERR_DB_LOST : OK;
    int findings = 0;

    for (size_t i = 0; e == OK && i < sizeof(rules) / sizeof(rules[0]); i++)
        e = check(conn, &rules[i], &findings);
    PQfinish(conn);
    return e == OK && findings > 0 ? ERR_CONFLICT : e;
}
