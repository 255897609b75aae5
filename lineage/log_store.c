/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/log.h"

#include <stdlib.h>
#include <string.h>

struct log_row {
    const char *origin;
    const char *public;
    const char *sealed;
    int64_t size;
    const char *root;
    const char *checkpoint;
    int64_t signed_size;
    int64_t age_s;
};

static const struct field log_row_fields[] = {
    TEXT(struct log_row, origin, NOTE_NAME_MAX),
    TEXT(struct log_row, public, 64),
    TEXT(struct log_row, sealed, 256),
    INT(struct log_row, size, 0, INT64_MAX),
    TEXT(struct log_row, root, 64),
    OPT_TEXT(struct log_row, checkpoint, NOTE_MAX),
    INT(struct log_row, signed_size, 0, INT64_MAX),
    INT(struct log_row, age_s, -1, INT64_MAX),
    FIELDS_END,
};

/* clang-format off */
#define LOG_ROW                                                                                    \
    "SELECT origin, public, sealed, size, root, checkpoint, signed_size,"                          \
    " coalesce(extract(epoch FROM now() - signed_at)::bigint, -1) AS age_s"                        \
    "  FROM audit_log WHERE tenant_id = $1::uuid"
/* clang-format on */
QUERY(log_find_sql, LOG_ROW);
QUERY(log_lock_sql, LOG_ROW " FOR UPDATE");

static enum err log_read(struct db *db, const struct query *q, struct log *out)
{
    struct log_row row;

    TRY(db_one(db, q, log_row_fields, &row, PARAMS(P_TEXT(db->tenant))));
    *out = (struct log){
        .origin = row.origin,
        .size = (uint64_t)row.size,
        .checkpoint = row.checkpoint,
        .signed_size = (uint64_t)row.signed_size,
        .age_s = row.age_s,
    };
    if (!hex_decode(row.public, out->public, sizeof(out->public)) ||
        !hex_decode(row.sealed, out->sealed, sizeof(out->sealed)) ||
        !hex_decode(row.root, out->root.bytes, SHA256_SIZE))
        return ERR_CONTENT;
    return OK;
}

enum err log_find(struct db *db, struct log *out)
{
    return log_read(db, &log_find_sql, out);
}

enum err log_lock(struct db *db, struct log *out)
{
    return log_read(db, &log_lock_sql, out);
}

QUERY(log_create_sql, "INSERT INTO audit_log (tenant_id, origin, public, sealed, root)"
                      " VALUES ($1::uuid, $2, $3, $4, $5) ON CONFLICT (tenant_id) DO NOTHING");

enum err log_create(struct db *db, const struct log *l)
{
    return db_run(
        db, &log_create_sql, NULL,
        PARAMS(P_TEXT(db->tenant), P_TEXT(l->origin), P_BYTES(l->public, sizeof(l->public)),
               P_BYTES(l->sealed, sizeof(l->sealed)), P_BYTES(l->root.bytes, SHA256_SIZE)));
}

/* bytea in text form: "\x" and hexadecimal. */
static bool bytes_read(const char *text, void *out, size_t length)
{
    return strncmp(text, "\\x", 2) == 0 && hex_decode(text + 2, out, length);
}

QUERY(log_waiting_sql, "SELECT seq, leaf_hash FROM audit_pending"
                       " WHERE tenant_id = $1::uuid ORDER BY seq LIMIT $2");

enum err log_waiting(struct db *db, size_t limit, struct log_waiting *out)
{
    struct digest *hashes;
    int64_t *seqs;
    PGresult *rows;

    TRY(db_rows(db, &log_waiting_sql, &rows, PARAMS(P_TEXT(db->tenant), P_INT((int64_t)limit))));
    out->count = (size_t)PQntuples(rows);
    out->hashes = hashes = arena_alloc(db->arena, (out->count + 1) * sizeof(*hashes));
    out->seqs = seqs = arena_alloc(db->arena, (out->count + 1) * sizeof(*seqs));
    for (size_t i = 0; i < out->count; i++) {
        seqs[i] = strtoll(PQgetvalue(rows, (int)i, 0), NULL, 10);
        if (!bytes_read(PQgetvalue(rows, (int)i, 1), hashes[i].bytes, SHA256_SIZE))
            return ERR_CONTENT;
    }
    return OK;
}

/* Places are computed here: row level security keeps arithmetic out of index conditions. */
QUERY(log_edges_sql,
      "SELECT t.level, t.hashes FROM unnest($2::int[], $3::bigint[]) AS at (level, n)"
      "  JOIN audit_tile t ON t.tenant_id = $1::uuid AND t.level = at.level AND t.n = at.n");

enum err log_edges(struct db *db, uint64_t size, struct tile_edge out[TILE_LEVELS])
{
    int64_t levels[TILE_LEVELS], places[TILE_LEVELS];
    unsigned found = 0, wanted = 0;
    PGresult *rows;

    for (unsigned level = 0; level < TILE_LEVELS; level++) {
        levels[level] = level;
        places[level] = (int64_t)(tile_count(level, size) / TILE_WIDTH);
    }
    TRY(db_rows(
        db, &log_edges_sql, &rows,
        PARAMS(P_TEXT(db->tenant), P_INTS(levels, TILE_LEVELS), P_INTS(places, TILE_LEVELS))));
    for (unsigned level = 0; level < TILE_LEVELS; level++) {
        out[level].width = (unsigned)(tile_count(level, size) % TILE_WIDTH);
        wanted += out[level].width > 0;
    }
    for (int i = 0; i < PQntuples(rows); i++) {
        struct tile_edge *edge = &out[strtol(PQgetvalue(rows, i, 0), NULL, 10) % TILE_LEVELS];

        if (!bytes_read(PQgetvalue(rows, i, 1), edge->hashes, edge->width * sizeof(struct digest)))
            return ERR_CONTENT;
        found += edge->width > 0;
    }
    return found == wanted ? OK : ERR_CONTENT;
}

QUERY(log_tile_put, "INSERT INTO audit_tile (tenant_id, level, n, hashes)"
                    " VALUES ($1::uuid, $2::int, $3::bigint, $4::bytea)"
                    " ON CONFLICT (tenant_id, level, n) DO UPDATE SET hashes = EXCLUDED.hashes"
                    "  WHERE length(audit_tile.hashes) < length(EXCLUDED.hashes)");

enum err log_write_tile(struct db *db, struct tile t, const struct digest *hashes)
{
    return db_defer(db, &log_tile_put,
                    PARAMS(P_TEXT(db->tenant), P_INT(t.level), P_INT((int64_t)t.index),
                           P_BYTES(hashes, t.width * sizeof(*hashes))));
}

QUERY(log_leaf_put, "INSERT INTO audit_leaf (tenant_id, index, seq)"
                    " SELECT $1::uuid, $2::bigint + u.place - 1, u.seq"
                    "   FROM unnest($3::bigint[]) WITH ORDINALITY AS u (seq, place)");
QUERY(log_pending_drop,
      "DELETE FROM audit_pending WHERE tenant_id = $1::uuid AND seq = ANY ($2::bigint[])");

enum err log_place(struct db *db, uint64_t first, const struct log_waiting *w)
{
    int64_t dropped;

    TRY(db_defer_any(db, &log_leaf_put,
                     PARAMS(P_TEXT(db->tenant), P_INT((int64_t)first), P_INTS(w->seqs, w->count))));
    TRY(db_run(db, &log_pending_drop, &dropped,
               PARAMS(P_TEXT(db->tenant), P_INTS(w->seqs, w->count))));
    return dropped == (int64_t)w->count ? OK : ERR_CONFLICT;
}

QUERY(log_head_put, "UPDATE audit_log SET size = $2::bigint, root = $3 WHERE tenant_id = $1::uuid");

enum err log_move_head(struct db *db, uint64_t size, const struct digest *root)
{
    return db_defer(
        db, &log_head_put,
        PARAMS(P_TEXT(db->tenant), P_INT((int64_t)size), P_BYTES(root->bytes, SHA256_SIZE)));
}

QUERY(log_publish_sql,
      "UPDATE audit_log SET checkpoint = $2, signed_size = $3::bigint, signed_at = now()"
      " WHERE tenant_id = $1::uuid");
QUERY(log_history_sql, "INSERT INTO audit_checkpoint (tenant_id, size, root, note)"
                       " VALUES ($1::uuid, $2::bigint, $3, $4)");

enum err log_publish(struct db *db, const struct log *l, const char *checkpoint)
{
    TRY(db_defer(db, &log_publish_sql,
                 PARAMS(P_TEXT(db->tenant), P_TEXT(checkpoint), P_INT((int64_t)l->size))));
    return db_defer(db, &log_history_sql,
                    PARAMS(P_TEXT(db->tenant), P_INT((int64_t)l->size),
                           P_BYTES(l->root.bytes, SHA256_SIZE), P_TEXT(checkpoint)));
}

QUERY(log_tile_get, "SELECT substring(hashes FROM 1 FOR $4::int) FROM audit_tile"
                    " WHERE tenant_id = $1::uuid AND level = $2::int AND n = $3::bigint");

static enum err load_hashes(struct db *db, struct tile t, struct text *out)
{
    uint8_t bytes[TILE_BYTES];
    size_t length = t.width * (size_t)SHA256_SIZE;
    PGresult *rows;

    TRY(db_rows(db, &log_tile_get, &rows,
                PARAMS(P_TEXT(db->tenant), P_INT(t.level), P_INT((int64_t)t.index),
                       P_INT((int64_t)length))));
    if (PQntuples(rows) != 1)
        return ERR_NOT_FOUND;
    if (!bytes_read(PQgetvalue(rows, 0, 0), bytes, length))
        return ERR_CONTENT;
    text_add(out, (const char *)bytes, length);
    return OK;
}

QUERY(
    log_bundle_get,
    "SELECT e.leaf FROM audit_leaf l"
    "  JOIN audit_entry e ON e.tenant_id = l.tenant_id AND e.seq = l.seq"
    " WHERE l.tenant_id = $1::uuid AND l.index >= $2::bigint AND l.index < $2::bigint + $3::bigint"
    " ORDER BY l.index");

static enum err load_bundle(struct db *db, struct tile t, struct text *out)
{
    PGresult *rows;

    TRY(db_rows(
        db, &log_bundle_get, &rows,
        PARAMS(P_TEXT(db->tenant), P_INT((int64_t)(t.index * TILE_WIDTH)), P_INT(t.width))));
    if (PQntuples(rows) == 0)
        return ERR_NOT_FOUND;
    if (PQntuples(rows) != (int)t.width)
        return ERR_CONTENT;
    for (int i = 0; i < PQntuples(rows); i++)
        if (!bundle_add(out, PQgetvalue(rows, i, 0), (size_t)PQgetlength(rows, i, 0)))
            return ERR_CONTENT;
    return OK;
}

void log_arena_back(struct db *db, struct arena *a)
{
    db->arena = a;
    db->constraint = NULL;
    db->message = NULL;
}

/* Whole logs are read this way: a tile's rows must not stay in memory until the request ends. */
static enum err load(void *context, struct tile t, struct text *out)
{
    struct db *db = context;
    struct arena *outer = db->arena, *a = arena_new();
    enum err e;

    db->arena = a;
    e = t.level == TILE_ENTRIES ? load_bundle(db, t, out) : load_hashes(db, t, out);
    log_arena_back(db, outer);
    arena_free(a);
    return e;
}

struct tile_source log_tiles(struct db *db)
{
    return (struct tile_source){.load = load, .context = db};
}

QUERY(log_index_sql, "SELECT coalesce(l.index, -1) FROM audit_entry e"
                     " LEFT JOIN audit_leaf l ON l.tenant_id = e.tenant_id AND l.seq = e.seq"
                     " WHERE e.tenant_id = $1::uuid AND e.id = $2::uuid");

enum err log_index(struct db *db, const char *entry_id, int64_t *index)
{
    PGresult *rows;

    TRY(db_rows(db, &log_index_sql, &rows, PARAMS(P_TEXT(db->tenant), P_TEXT(entry_id))));
    if (PQntuples(rows) == 0)
        return ERR_NOT_FOUND;
    *index = strtoll(PQgetvalue(rows, 0, 0), NULL, 10);
    return OK;
}
