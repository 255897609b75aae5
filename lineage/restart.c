/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/restart.h"

#include "lineage/audit.h"
#include "lineage/guard.h"

#include <stdlib.h>
#include <string.h>

static enum err refuse(struct restart *r, enum err e, const char *why)
{
    r->why = why;
    return e;
}

QUERY(restart_order, "SELECT l.seq, e.leaf_hash FROM audit_leaf l"
                     "  JOIN audit_entry e ON e.tenant_id = l.tenant_id AND e.seq = l.seq"
                     " WHERE l.tenant_id = $1::uuid ORDER BY l.index");
QUERY(restart_entry, "SELECT seq, leaf_hash FROM audit_entry"
                     " WHERE tenant_id = $1::uuid AND id = $2::uuid");

static enum err take(const PGresult *rows, struct log_waiting *w, size_t at)
{
    struct digest *hashes = (struct digest *)(uintptr_t)w->hashes; /* NOLINT: ours, see below */
    int64_t *seqs = (int64_t *)(uintptr_t)w->seqs;                 /* NOLINT */

    for (int i = 0; i < PQntuples(rows); i++, at++) {
        seqs[at] = strtoll(PQgetvalue(rows, i, 0), NULL, 10);
        if (!hex_decode(PQgetvalue(rows, i, 1) + 2, hashes[at].bytes, SHA256_SIZE))
            return ERR_CONTENT;
    }
    return OK;
}

/* The entry of the restart, then all that had a place. */
static enum err order(struct restart *r, const char *entry, struct log_waiting *w)
{
    PGresult *first, *rest;

    TRY(db_rows(r->db, &restart_entry, &first, PARAMS(P_TEXT(r->tenant), P_TEXT(entry))));
    TRY(db_rows(r->db, &restart_order, &rest, PARAMS(P_TEXT(r->tenant))));
    w->count = 1 + (size_t)PQntuples(rest);
    w->hashes = arena_alloc(r->db->arena, w->count * sizeof(*w->hashes));
    w->seqs = arena_alloc(r->db->arena, w->count * sizeof(*w->seqs));
    TRY(take(first, w, 0));
    return take(rest, w, 1);
}

static enum err record(struct restart *r, struct audit_receipt *receipt)
{
    char request[ID_SIZE];
    const struct audit_event event = {.actor = "operator",
                                      .action = "audit_restart",
                                      .method = "CONSOLE",
                                      .object = "audit/log",
                                      .request = request,
                                      .status = 200,
                                      .statement = r->last};

    id_new(request);
    return audit_record(r->db, &event, receipt);
}

QUERY(restart_sql, "SELECT audit_restart($1, $2, $3, $4, $5)");

static enum err begin_anew(struct restart *r)
{
    const struct digest empty = merkle_empty();
    struct log_key key;
    PGresult *ignored;
    enum err e;

    TRY(log_key_make(r->db, r->place->key, &key));
    e = db_rows(r->db, &restart_sql, &ignored,
                PARAMS(P_TEXT(r->origin), P_BYTES(key.public, sizeof(key.public)),
                       P_BYTES(key.sealed, sizeof(key.sealed)), P_BYTES(empty.bytes, SHA256_SIZE),
                       P_TEXT(r->last)));
    return e == ERR_CONFLICT ? refuse(r, e, "the database's administrator has not permitted it")
                             : e;
}

static enum err place(struct restart *r, const struct log_waiting *all)
{
    struct step s = {.place = r->place, .db = r->db, .tenant = r->tenant};

    for (size_t at = 0; at < all->count; at += SEQUENCER_BATCH) {
        struct log_waiting some = {.seqs = all->seqs + at, .hashes = all->hashes + at};
        struct log l;

        some.count = all->count - at < SEQUENCER_BATCH ? all->count - at : SEQUENCER_BATCH;
        TRY(log_find(r->db, &l));
        TRY(step_extend(&s, &l, &some));
    }
    r->entries = all->count - 1;
    return OK;
}

static const char *next_origin(struct restart *r, const struct log *l, const struct log_keys *keys)
{
    const char *tenant = strstr(l->origin, r->tenant);
    size_t base =
        tenant == NULL ? strlen(l->origin) : (size_t)(tenant - l->origin) + strlen(r->tenant);
    size_t n = 2;

    for (size_t i = 1; i < keys->count; i++)
        n += strcmp(keys->items[i].origin, keys->items[i - 1].origin) != 0;
    return arena_printf(r->db->arena, "%.*s/%zu", (int)base, l->origin, n);
}

/* The guard file's checkpoint, or the database's when there is none. */
static enum err find_last(struct restart *r, const struct log *l, bool *done)
{
    struct checkpoint c;
    const char *end;
    enum err e = guard_read(r->db->arena, r->place->dir, r->tenant, &r->last);
    size_t length;

    *done = false;
    if (e == ERR_NOT_FOUND)
        r->last = l->checkpoint;
    else if (e != OK)
        return e;
    if (r->last == NULL)
        return refuse(r, ERR_NOT_FOUND, "nothing was signed yet, so nothing need be restarted");
    length = strcspn(r->last, "\n");
    *done = e == OK && (strlen(l->origin) != length || strncmp(r->last, l->origin, length) != 0);
    end = strstr(r->last, "\n\n");
    if (end == NULL || checkpoint_parse(r->last, (size_t)(end + 1 - r->last), &c) != OK)
        return refuse(r, ERR_CONTENT, "the guard file does not hold a checkpoint");
    return OK;
}

static enum err restart(void *arg)
{
    struct restart *r = arg;
    struct log_keys *keys = arena_alloc(r->db->arena, sizeof(*keys));
    struct audit_receipt receipt;
    struct log_waiting all;
    struct log l;
    bool done;

    TRY(log_lock(r->db, &l));
    TRY(log_keys_find(r->db, &l, keys));
    TRY(find_last(r, &l, &done));
    r->origin = done ? l.origin : next_origin(r, &l, keys);
    if (done)
        return OK;
    TRY(record(r, &receipt));
    TRY(order(r, receipt.id, &all));
    TRY(begin_anew(r));
    return place(r, &all);
}

enum err log_restart(struct restart *r)
{
    struct step s = {.place = r->place, .db = r->db, .tenant = r->tenant};
    enum err e = step_check(&s);

    if (e == OK)
        return refuse(r, ERR_CONFLICT, "it continues what was signed, so it need not be");
    if (e != ERR_CONTENT)
        return e;
    TRY(db_tx(r->db, TX_WRITE, r->tenant, restart, r));
    return guard_retire(r->db->arena, r->place->dir, r->tenant);
}
