/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/limit_table.h"

#include "core/sip.h"
#include "lineage/background.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVERY_MS = 1000 };

struct own {
    uint64_t key; /* of the tenant's id */
    struct limits limits;
};

static struct {
    pthread_rwlock_t lock;
    struct own *items; /* by key */
    size_t count;
    atomic_llong replicas;
} table = {.lock = PTHREAD_RWLOCK_INITIALIZER, .replicas = 1};

static uint64_t key_of(const char *tenant_id)
{
    return sip_text(0, tenant_id);
}

static int by_key(const void *a, const void *b)
{
    uint64_t x = ((const struct own *)a)->key;
    uint64_t y = ((const struct own *)b)->key;

    return x < y ? -1 : x > y;
}

static struct own *find(uint64_t key)
{
    const struct own wanted = {.key = key};

    return table.count == 0
               ? NULL
               : bsearch(&wanted, table.items, table.count, sizeof(struct own), by_key);
}

bool limit_table_find(const char *tenant_id, struct limits *out)
{
    const struct own *found;

    (void)pthread_rwlock_rdlock(&table.lock);
    found = find(key_of(tenant_id));
    if (found != NULL)
        *out = found->limits;
    (void)pthread_rwlock_unlock(&table.lock);
    return found != NULL;
}

int64_t limit_replicas(void)
{
    return atomic_load_explicit(&table.replicas, memory_order_relaxed);
}

static struct own *room_for(size_t count)
{
    struct own *items = calloc(count == 0 ? 1 : count, sizeof(*items));

    if (items == NULL) {
        (void)fputs("out of memory for limits\n", stderr);
        abort();
    }
    return items;
}

/* Takes items, which are in order. */
static void replace(struct own *items, size_t count)
{
    struct own *old = table.items;

    table.items = items;
    table.count = count;
    free(old);
}

void limit_set(const char *tenant_id, const struct limits *own)
{
    const struct own mine = {.key = key_of(tenant_id), .limits = *own};
    struct own *found;
    struct own *more;

    (void)pthread_rwlock_wrlock(&table.lock);
    found = find(mine.key);
    if (found != NULL) {
        *found = mine;
    } else {
        more = room_for(table.count + 1);
        if (table.count > 0)
            memcpy(more, table.items, table.count * sizeof(*more));
        more[table.count] = mine;
        qsort(more, table.count + 1, sizeof(*more), by_key);
        replace(more, table.count + 1);
    }
    (void)pthread_rwlock_unlock(&table.lock);
}

struct row {
    const char *tenant_id;
    struct limits limits;
};

#define COLUMN(rate)                                                                               \
    {                                                                                              \
        .name = #rate, .type = FIELD_INT, .offset = offsetof(struct row, limits.rate),             \
        .max = INT64_MAX                                                                           \
    }
static const struct field row_columns[] = {
    TEXT(struct row, tenant_id, 36),
#define LIMIT(name, units, meaning) COLUMN(name),
#include "auth/limits.def"
#undef LIMIT
    FIELDS_END,
};

QUERY(limits_all_sql, "SELECT tenant_id, tenant, principal, read, write, heavy, auth, invoke"
                      " FROM tenant_limits()");

/* A replica whose lease is over answers nobody before it has a new one. */
QUERY(limits_replicas_sql,
      "SELECT count(*) AS replicas FROM replica WHERE lease_until > clock_timestamp()");

struct look {
    struct db *db;
    struct rows rows;
    int64_t replicas;
};

static const struct field replica_columns[] = {INT(struct look, replicas, 0, INT64_MAX),
                                               FIELDS_END};

static enum err read_all(void *arg)
{
    struct look *l = arg;

    TRY(db_one(l->db, &limits_replicas_sql, replica_columns, l, NO_PARAMS));
    return db_list(l->db, &limits_all_sql, row_columns, sizeof(struct row), &l->rows, NO_PARAMS);
}

static void look_again(struct background *b)
{
    struct look l = {.db = &b->db};
    struct own *items;

    if (db_tx(&b->db, TX_POINT, NULL, read_all, &l) != OK)
        return;
    /* This one counts even while it waits for its lease. */
    atomic_store(&table.replicas, l.replicas > 0 ? l.replicas : 1);
    items = room_for(l.rows.count);
    for (size_t i = 0; i < l.rows.count; i++) {
        const struct row *r = &((const struct row *)l.rows.items)[i];

        items[i] = (struct own){.key = key_of(r->tenant_id), .limits = r->limits};
    }
    qsort(items, l.rows.count, sizeof(*items), by_key);
    (void)pthread_rwlock_wrlock(&table.lock);
    replace(items, l.rows.count);
    (void)pthread_rwlock_unlock(&table.lock);
}

static struct background reader = {.name = "limits", .round = look_again, .pause_ms = EVERY_MS};

enum err limit_table_start(const char *conninfo)
{
    return background_start(&reader, conninfo);
}

void limit_table_stop(void)
{
    background_stop(&reader);
    (void)pthread_rwlock_wrlock(&table.lock);
    replace(NULL, 0);
    (void)pthread_rwlock_unlock(&table.lock);
}
