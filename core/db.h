/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_DB_H
#define CORE_DB_H

#include "core/arena.h"
#include "core/err.h"
#include "core/field.h"

#include <jansson.h>
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* A named statement. The linker gathers them all, and every connection prepares every one when it
 * opens: a statement that does not fit the schema stops the service at its start. */
struct query {
    const char *name; /* NULL: not prepared, for searches that are built (registry/where.h) */
    const char *text;
};

#define QUERY(id, sql)                                                                             \
    static const struct query id = {#id, sql};                                                     \
    static const struct query *const id##_entry __attribute__((used, section("queries"))) = &id

/* How the statements of a request hang together.
 * TX_NONE   no statement may run
 * TX_POINT  every statement is a transaction of its own: one round trip each
 * TX_READ   one REPEATABLE READ, READ ONLY transaction: all statements see the same state
 * TX_WRITE  one transaction, with its audit entry; deferred statements travel with the commit
 * TX_MANUAL like TX_POINT, until the handler calls request_tx itself (slow work comes first) */
enum tx { TX_NONE, TX_POINT, TX_READ, TX_WRITE, TX_MANUAL };

enum { DB_PENDING_MAX = 64, DB_PARAMS_MAX = 128, DB_AHEAD_MAX = 8, DB_AHEAD_PARAMS = 4 };

enum param_type {
    PARAM_TEXT,
    PARAM_INT,
    PARAM_REAL,
    PARAM_BOOL,
    PARAM_BYTES,
    PARAM_JSON,
    PARAM_TEXTS,
    PARAM_INTS
};

struct param {
    enum param_type type;
    const void *data; /* text, bytes, json_t or array; NULL is SQL's NULL */
    int64_t number;
    double real;
    size_t length; /* of bytes, or items of an array */
};

/* A statement that was asked for before its turn, see core/db_ahead.h. */
struct db_ahead {
    const struct arena *owner; /* of the request that will run it; NULL when it has */
    const char *tenant;
    const struct query *query;
    struct param params[DB_AHEAD_PARAMS];
    size_t count;
    PGresult *result; /* NULL: not read yet, failed, or taken */
};

/* What must still hold where a write begins: the policy of its tenant is of the epoch under which
 * it was allowed. Else the transaction fails with ERR_STALE and changes nothing. */
enum db_hold {
    HOLD_NOTHING, /* looked at once */
    HOLD_SHARED,  /* and kept so until the commit */
    HOLD_OWN,     /* likewise, by one writer at a time: the transaction will change the policy */
};
struct db_guard {
    bool set;
    int64_t epoch;
    enum db_hold hold;
};

/* One connection, used by one thread at a time. */
struct db {
    PGconn *conn;
    const char *conninfo;
    struct arena *arena; /* owns the results of the request being served */
    enum tx tx;
    const char *tenant;    /* id whose rows are visible; NULL or "" for none */
    bool started;          /* the transaction's first statement has been sent */
    unsigned attempt;      /* of the running transaction; 0 for the first */
    bool committing;       /* from here on a lost connection leaves the outcome unknown */
    struct db_guard guard; /* of TX_WRITE; set and taken back by whoever calls db_tx */
    uint64_t moving; /* the database's id of the running transaction, if it changes a policy */
    uint64_t moved;  /* of the last one that is committed; taken back by whoever reads it */
    enum err failed; /* of the transaction: the first thing that went wrong */
    const char *constraint; /* that the last transaction violated, in the arena; NULL for none */
    const char *message;    /* the database's own words, for our log and for raised refusals */
    struct db_pending {
        const struct query *query;
        int rows;              /* how many rows it must touch or give; -1 for any */
    } pending[DB_PENDING_MAX]; /* sent, not yet answered */
    unsigned pendings;
    struct db_ahead ahead[DB_AHEAD_MAX];
    unsigned ahead_count;
    unsigned ahead_read; /* of these, how many were answered */
};

/* clang-format off */
#define P_TEXT(value)  ((struct param){.type = PARAM_TEXT, .data = (value)})
#define P_INT(value)   ((struct param){.type = PARAM_INT, .number = (value)})
#define P_REAL(value)  ((struct param){.type = PARAM_REAL, .real = (value)})
#define P_BOOL(value)  ((struct param){.type = PARAM_BOOL, .number = (value)})
#define P_BYTES(value, size) ((struct param){.type = PARAM_BYTES, .data = (value), .length = (size)}) /* bytea */
#define P_JSON(value)  ((struct param){.type = PARAM_JSON, .data = (value)})
#define P_TEXTS(items, count) ((struct param){.type = PARAM_TEXTS, .data = (items), .length = (count)}) /* text[] */
#define P_INTS(items, count)  ((struct param){.type = PARAM_INTS, .data = (items), .length = (count)})  /* bigint[] */
#define PARAMS(...)                                                                                \
    ((const struct param[]){__VA_ARGS__}),                                                         \
        (sizeof((const struct param[]){__VA_ARGS__}) / sizeof(struct param))
#define NO_PARAMS NULL, 0
/* clang-format on */

/* Every statement the program can ever send: name, tab, text, one a line. */
void queries_print(FILE *out);

/* conninfo is borrowed for the life of db. ERR_DB_LOST when there is no connection to be had,
 * ERR_INTERNAL when a statement does not fit the schema (logged by name). */
MUST_CHECK enum err db_open(struct db *db, const char *conninfo);
void db_close(struct db *db);

/* Run body in one transaction of the given kind for tenant: commit when it returns OK, else roll
 * back. On serialization failure or deadlock body runs again (at most 5 times), so it must change
 * nothing outside the database. A lost connection is opened anew first. For TX_POINT and TX_NONE
 * body just runs. The arena must be set. */
MUST_CHECK enum err db_tx(struct db *db, enum tx kind, const char *tenant,
                          enum err (*body)(void *arg), void *arg);

/* From the next statement on, act for this tenant (sign-in and background work, which learn the
 * tenant from the database). tenant is borrowed until the transaction ends. */
MUST_CHECK enum err db_act_for(struct db *db, const char *tenant);

/* Exactly one row into *out: ERR_NOT_FOUND for none, ERR_INTERNAL for more. Columns are matched to
 * fields by name; every field needs its column. Texts live as long as the arena. */
MUST_CHECK enum err db_one(struct db *db, const struct query *q, const struct field *fields,
                           void *out, const struct param *params, size_t count);

/* All rows, as an array of structs of the given size in the arena. */
struct rows {
    void *items;
    size_t count;
};
/* PARAMS makes two arguments of one. NOLINTNEXTLINE(readability-function-size) */
MUST_CHECK enum err db_list(struct db *db, const struct query *q, const struct field *fields,
                            size_t size, struct rows *out, const struct param *params,
                            size_t count);

/* The bare result (text format), owned by the arena, for the few places that read columns by hand.
 */
MUST_CHECK enum err db_rows(struct db *db, const struct query *q, PGresult **out,
                            const struct param *params, size_t count);

/* A change of exactly one row: ERR_NOT_FOUND when it touched none. */
MUST_CHECK enum err db_change(struct db *db, const struct query *q, const struct param *params,
                              size_t count);
/* A change of any number of rows; *rows may be NULL. */
MUST_CHECK enum err db_run(struct db *db, const struct query *q, int64_t *rows,
                           const struct param *params, size_t count);

/* Queue a change for the round trip of the next statement or of the commit. It must touch exactly
 * one row (db_defer) or any number (db_defer_any); if not, the transaction fails with
 * ERR_NOT_FOUND. Parameters are copied into the wire buffer at once. Only in TX_WRITE. */
MUST_CHECK enum err db_defer(struct db *db, const struct query *q, const struct param *params,
                             size_t count);
MUST_CHECK enum err db_defer_any(struct db *db, const struct query *q, const struct param *params,
                                 size_t count);

#endif
