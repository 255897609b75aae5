/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/audit_check.h"

#include "lineage/audit_store.h"
#include "lineage/log_key.h"
#include "lineage/privacy/leave.h"
#include "lineage/verify.h"

#include <string.h>

enum { ROWS_AT_ONCE = 1024 };

struct checking {
    struct db *db;
    struct arena *arena; /* of the report; db's own is exchanged as rows are read */
    struct audit_report *report;
    struct leave leave;
};

static void add(struct checking *c, int64_t index, const char *id, const char *what)
{
    struct audit_report *r = c->report;

    if (r->faults < AUDIT_PROBLEMS_MAX)
        r->problems[r->faults] = (struct audit_problem){
            .index = index, .id = arena_text(c->arena, id), .what = arena_text(c->arena, what)};
    r->faults++;
}

static void tree_problem(void *context, const struct log_problem *p)
{
    struct checking *c = context;

    /* A changed entry is named by its row, with its id. */
    if (p->trouble == LOG_ENTRY)
        return;
    add(c, p->leaf == LOG_NO_LEAF ? -1 : (int64_t)p->leaf, NULL,
        arena_printf(c->arena, "tree: %s: %s: %s", p->file == NULL ? "" : p->file,
                     log_trouble_text(p->trouble), p->detail == NULL ? "" : p->detail));
}

static enum err check_tree(struct checking *c, const struct log *l)
{
    const struct tile_source tiles = log_tiles(c->db);
    const struct log_watcher watcher = {.problem = tree_problem, .context = c};
    struct log_summary summary;
    struct log_keys *keys = arena_alloc(c->arena, sizeof(*keys));
    struct log_verifiers *v = arena_alloc(c->arena, sizeof(*v));
    struct checkpoint point;

    TRY(log_keys_find(c->db, l, keys));
    if (log_verifiers(l, keys, v) != OK ||
        checkpoint_open(l->checkpoint, strlen(l->checkpoint), v->keys, v->count, &point) !=
            NOTE_GOOD ||
        point.size != l->signed_size) {
        add(c, -1, NULL, "tree: the checkpoint is not signed by the log's key");
        return OK;
    }
    (void)log_verify(&tiles, &point, &watcher, &summary);
    return c->db->failed;
}

/* Rows of indexes from on; every index up to the next must have one. */
static enum err check_rows(struct checking *c, int64_t from, int64_t count)
{
    struct audit_report *r = c->report;
    struct rows rows;
    int64_t expected = from;

    TRY(audit_range(c->db, from, count, &rows));
    for (size_t i = 0; i < rows.count; i++) {
        const struct audit_row *row = (const struct audit_row *)rows.items + i;
        json_t *leaf;
        const char *what = audit_fault(c->db->arena, row, &leaf);

        for (; expected < row->index; expected++)
            add(c, expected, NULL, "missing");
        expected = row->index + 1;
        if (what == NULL && !leave_covers(&c->leave, row))
            what = "erased, and nothing in the log says why";
        if (what != NULL)
            add(c, row->index, row->id, what);
    }
    for (; expected < from + count; expected++)
        add(c, expected, NULL, "missing");
    r->checked += (int64_t)rows.count;
    return OK;
}

static enum err check_all_rows(struct checking *c, int64_t ms)
{
    int64_t until = time_steady_ms() + ms, size = c->report->size;
    enum err e = OK;

    for (int64_t from = 0; from < size && e == OK; from += ROWS_AT_ONCE) {
        struct arena *a;

        if (time_steady_ms() > until)
            return OK;
        a = arena_new();
        c->db->arena = a;
        e = check_rows(c, from, size - from < ROWS_AT_ONCE ? size - from : ROWS_AT_ONCE);
        log_arena_back(c->db, c->arena);
        arena_free(a);
    }
    c->report->complete = e == OK;
    return e;
}

QUERY(audit_rootless,
      "SELECT 1 FROM audit_subject_key k WHERE k.tenant_id = $1::uuid AND NOT EXISTS"
      " (SELECT FROM audit_root r WHERE r.tenant_id = k.tenant_id) LIMIT 1");

/* What is in memory opens without it for minutes yet. */
static enum err check_root(struct checking *c)
{
    PGresult *rows;

    TRY(db_rows(c->db, &audit_rootless, &rows, PARAMS(P_TEXT(c->db->tenant))));
    if (PQntuples(rows) > 0)
        add(c, -1, NULL, "payload: the key that the keys of all payloads are under is missing");
    return OK;
}

enum err audit_check(struct db *db, int64_t ms, struct audit_report *out)
{
    struct checking c = {.db = db, .arena = db->arena, .report = out};
    struct log l;

    *out = (struct audit_report){.complete = false};
    TRY(log_find(db, &l));
    if (l.checkpoint == NULL)
        return ERR_NOT_FOUND;
    out->size = (int64_t)l.signed_size;
    TRY(leave_read(db, &c.leave));
    TRY(check_tree(&c, &l));
    TRY(check_root(&c));
    return check_all_rows(&c, ms);
}
