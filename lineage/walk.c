/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/walk.h"

#include "core/row.h"
#include "core/text.h"

#include <stdlib.h>
#include <string.h>

/* More projects than this are not asked about one by one beforehand. */
enum { OPEN_MAX = 200 };

/* Where a walk is. Nodes are found by id through slots, an open hash table of indexes plus one. */
struct walking {
    struct db *db;
    const struct walk_question *q;
    struct walk *out;
    int64_t until;
    enum walk_way way;
    bool spent; /* a budget, which ends the walk */
    bool open;  /* nothing is hidden from the caller: what nodes are is asked once, at the end */
    bool shut;  /* but something was */
    size_t node_room;
    size_t edge_room;
    size_t mask;
    uint32_t *slots;
    int64_t *frontier; /* ids to follow now */
    size_t frontier_count;
    size_t *next; /* nodes reached this way for the first time */
    size_t next_count;
    size_t next_room;
    const char *project; /* the last one asked for, and the answer */
    bool project_seen;
};

/* The first budget that ran out is what is told, before lesser reasons. */
static void truncated(struct walking *w, const char *why, bool spent)
{
    if (w->out->truncated == NULL || (spent && !w->spent))
        w->out->truncated = why;
    w->spent = w->spent || spent;
}

static size_t slot_of(const struct walking *w, int64_t id)
{
    uint64_t h = (uint64_t)id * UINT64_C(0x9E3779B97F4A7C15); /* Fibonacci hashing */
    size_t at = (size_t)(h >> 32) & w->mask;

    while (w->slots[at] != 0 && w->out->nodes[w->slots[at] - 1].id != id)
        at = (at + 1) & w->mask;
    return at;
}

static void *grown(struct arena *a, void *items, size_t count, size_t *room, size_t size)
{
    void *more;

    if (count < *room)
        return items;
    *room = *room == 0 ? 256 : 2 * *room;
    more = arena_alloc(a, *room * size);
    if (count > 0)
        memcpy(more, items, count * size);
    return more;
}

/* The node's place, made if it is new; SIZE_MAX when there is no room for another. */
static size_t place(struct walking *w, int64_t id, int64_t depth)
{
    struct walk *out = w->out;
    size_t at = slot_of(w, id);

    if (w->slots[at] != 0)
        return w->slots[at] - 1;
    if (out->node_count == w->q->nodes)
        return SIZE_MAX;
    out->nodes =
        grown(w->db->arena, out->nodes, out->node_count, &w->node_room, sizeof(*out->nodes));
    out->nodes[out->node_count] = (struct walk_node){.id = id, .depth = depth};
    w->slots[at] = (uint32_t)++out->node_count;
    return out->node_count - 1;
}

static void add_edge(struct walking *w, struct walk_edge edge)
{
    struct walk *out = w->out;

    out->edges =
        grown(w->db->arena, out->edges, out->edge_count, &w->edge_room, sizeof(*out->edges));
    out->edges[out->edge_count++] = edge;
}

static const struct field node_fields[] = {
    INT(struct walk_node, id, 0, INT64_MAX),
    TEXT(struct walk_node, name, 512),
    TEXT(struct walk_node, kind, 64),
    TEXT(struct walk_node, project, 63),
    OPT_TEXT(struct walk_node, digest, 64),
    TIME(struct walk_node, created_at),
    FIELDS_END,
};

/* Neighbours in projects come in runs. */
static bool visible(struct walking *w, const char *project)
{
    if (w->project == NULL || strcmp(w->project, project) != 0) {
        w->project = project;
        w->project_seen = w->q->may(w->q->context, project);
    }
    return w->project_seen;
}

QUERY(walk_root, "SELECT id, name, kind, project, digest, created_at FROM lineage_node"
                 " WHERE tenant_id = $1::uuid AND name = $2");
QUERY(walk_nodes, "SELECT id, name, kind, project, digest, created_at FROM lineage_node"
                  " WHERE tenant_id = $1::uuid AND id = ANY ($2::bigint[])");

/* What the new nodes, from first on, are; those that may be seen are the next frontier. */
static enum err describe(struct walking *w, size_t first)
{
    struct walk *out = w->out;
    size_t count = out->node_count - first;
    int64_t *ids = arena_alloc(w->db->arena, (count + 1) * sizeof(*ids));
    PGresult *rows;

    if (count == 0)
        return OK;
    for (size_t i = 0; i < count; i++)
        ids[i] = out->nodes[first + i].id;
    TRY(db_rows(w->db, &walk_nodes, &rows, PARAMS(P_TEXT(w->db->tenant), P_INTS(ids, count))));
    for (int i = 0; i < PQntuples(rows); i++) {
        struct walk_node found = {.id = 0}, *node;

        TRY(row_read(w->db->arena, node_fields, rows, i, &found));
        node = &out->nodes[w->slots[slot_of(w, found.id)] - 1];
        found.depth = node->depth;
        found.seen = node->seen;
        if (!visible(w, found.project)) {
            truncated(w, "redacted", false);
            w->shut = true;
            continue;
        }
        *node = found;
        if (w->q->stop != NULL && strcmp(w->q->stop, found.name) == 0)
            out->stop = (size_t)(node - out->nodes);
    }
    return OK;
}

/* clang-format off */
#define WALK_EDGES(near, limit)                                                                    \
    "SELECT src, dst, kind, at FROM lineage_edge WHERE tenant_id = $1::uuid AND " near             \
    " = ANY ($2::bigint[]) AND ($3::timestamptz IS NULL OR at <= $3)"                              \
    " AND ($6::timestamptz IS NULL OR recorded_at <= $6)"                                          \
    " AND NOT ($4::boolean AND kind = 'predict') LIMIT " limit
/* clang-format on */
QUERY(walk_up, WALK_EDGES("dst", "$5"));
QUERY(walk_down, WALK_EDGES("src", "$5"));

static enum err edges_of(struct walking *w, size_t most, PGresult **out)
{
    return db_rows(w->db, w->way == WALK_UP ? &walk_up : &walk_down, out,
                   PARAMS(P_TEXT(w->db->tenant), P_INTS(w->frontier, w->frontier_count),
                          P_TEXT(w->q->as_of), P_BOOL(w->q->skip_predictions), P_INT((int64_t)most),
                          P_TEXT(w->q->known_at)));
}

/* "2026-11-21 08:00:00.123456+00" to RFC 3339. */
static const char *edge_time(struct arena *a, const char *text)
{
    const char *dot = strchr(text, '.');
    char millis[4] = "000";

    for (size_t i = 0; dot != NULL && i < 3 && dot[1 + i] >= '0' && dot[1 + i] <= '9'; i++)
        millis[i] = dot[1 + i];
    return arena_printf(a, "%.10sT%.8s.%sZ", text, strlen(text) > 11 ? text + 11 : "", millis);
}

static void reach(struct walking *w, size_t at)
{
    struct walk_node *node = &w->out->nodes[at];

    if ((node->seen & w->way) != 0)
        return;
    node->seen |= w->way;
    w->next = grown(w->db->arena, w->next, w->next_count, &w->next_room, sizeof(*w->next));
    w->next[w->next_count++] = at;
}

static void take_edge(struct walking *w, const PGresult *rows, int i, int64_t depth)
{
    int64_t src = strtoll(PQgetvalue(rows, i, 0), NULL, 10);
    int64_t dst = strtoll(PQgetvalue(rows, i, 1), NULL, 10);
    size_t far = place(w, w->way == WALK_UP ? src : dst, depth);
    size_t near = place(w, w->way == WALK_UP ? dst : src, depth);

    if (far == SIZE_MAX || near == SIZE_MAX) {
        truncated(w, "nodes", true);
        return;
    }
    reach(w, far);
    if ((w->out->nodes[far].followed & ~(unsigned)w->way) != 0)
        return; /* in a circle: the edge was met from its other end */
    add_edge(w, (struct walk_edge){.src = w->way == WALK_UP ? far : near,
                                   .dst = w->way == WALK_UP ? near : far,
                                   .kind = PQgetvalue(rows, i, 2),
                                   .at = edge_time(w->db->arena, PQgetvalue(rows, i, 3))});
}

/* The nodes just reached that may be seen are to be followed next. */
static void advance(struct walking *w)
{
    w->frontier = arena_alloc(w->db->arena, (w->next_count + 1) * sizeof(*w->frontier));
    w->frontier_count = 0;
    for (size_t i = 0; i < w->next_count; i++)
        if (w->open || w->out->nodes[w->next[i]].name != NULL)
            w->frontier[w->frontier_count++] = w->out->nodes[w->next[i]].id;
    w->next_count = 0;
}

static enum err follow(struct walking *w, int64_t depth)
{
    size_t first = w->out->node_count, most = w->q->edges - w->out->edge_count;
    PGresult *rows;

    TRY(edges_of(w, most + 1, &rows));
    for (size_t i = 0; i < w->frontier_count; i++)
        w->out->nodes[w->slots[slot_of(w, w->frontier[i])] - 1].followed |= w->way;
    if ((size_t)PQntuples(rows) > most)
        truncated(w, "edges", true);
    for (int i = 0; i < PQntuples(rows) && (size_t)i < most; i++)
        take_edge(w, rows, i, depth);
    if (!w->open)
        TRY(describe(w, first));
    advance(w);
    return OK;
}

static enum err walk_one_way(struct walking *w, enum walk_way way)
{
    int64_t depth = 0;
    PGresult *more;

    w->way = way;
    w->next_count = 0;
    reach(w, 0);
    advance(w);
    for (; w->frontier_count > 0 && depth < w->q->depth && !w->spent; depth++) {
        if (time_steady_ms() > w->until) {
            truncated(w, "time", true);
            return OK;
        }
        TRY(follow(w, depth + 1));
        if (w->out->stop != 0)
            return OK;
    }
    if (w->frontier_count == 0 || w->spent)
        return OK;
    TRY(edges_of(w, 1, &more));
    if (PQntuples(more) > 0)
        truncated(w, "depth", false);
    return OK;
}

QUERY(walk_projects, "SELECT '' UNION ALL SELECT name FROM project WHERE tenant_id = $1::uuid"
                     " LIMIT $2::bigint");

enum err walk_open(struct db *db, const struct walk_question *q, bool *open)
{
    PGresult *rows;

    TRY(db_rows(db, &walk_projects, &rows, PARAMS(P_TEXT(db->tenant), P_INT(OPEN_MAX + 1))));
    *open = PQntuples(rows) <= OPEN_MAX;
    for (int i = 0; i < PQntuples(rows) && *open; i++)
        *open = q->may(q->context, PQgetvalue(rows, i, 0));
    return OK;
}

static enum err begin(struct walking *w)
{
    struct walk_node root;
    size_t slots = 1024;

    *w->out = (struct walk){.nodes = NULL};
    TRY(db_one(w->db, &walk_root, node_fields, &root,
               PARAMS(P_TEXT(w->db->tenant), P_TEXT(w->q->node))));
    if (!visible(w, root.project))
        return ERR_NOT_FOUND;
    while (slots < 2 * w->q->nodes)
        slots *= 2;
    w->mask = slots - 1;
    w->slots = arena_alloc(w->db->arena, slots * sizeof(*w->slots));
    root.depth = 0;
    root.seen = root.followed = 0;
    (void)place(w, root.id, 0);
    w->out->nodes[0] = root;
    return OK;
}

static enum err walk_ways(struct walking *w)
{
    TRY(begin(w));
    if ((w->q->ways & WALK_UP) != 0)
        TRY(walk_one_way(w, WALK_UP));
    if ((w->q->ways & WALK_DOWN) != 0)
        TRY(walk_one_way(w, WALK_DOWN));
    return w->open ? describe(w, 1) : OK;
}

enum err walk_run(struct db *db, const struct walk_question *q, struct walk *out)
{
    struct walking w = {.db = db, .q = q, .out = out, .until = time_steady_ms() + q->ms}, again = w;

    if (q->stop == NULL)
        TRY(walk_open(db, q, &w.open));
    TRY(walk_ways(&w));
    /* A node of a project that is none: what lies behind it must not be told. */
    return w.shut && w.open ? walk_ways(&again) : OK;
}
