/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/graph/walk.h"

#include "core/row.h"
#include "core/text.h"
#include "lineage/graph/walk_read.h"

#include <string.h>

/* More projects than this are not asked about one by one beforehand. */
enum { OPEN_MAX = 200 };

/* What a caller may see, as far as projects' names tell. */
struct seen {
    bool open; /* nothing is hidden */
    bool many; /* too many to be asked about, or seen in part: only levels tell right */
    const char **projects;
    size_t count;
};

/* Where a walk is. Nodes are found by id through slots, an open hash table of indexes plus one. */
struct walking {
    struct db *db;
    const struct walk_question *q;
    struct walk *out;
    int64_t until;
    enum walk_way way;
    bool spent; /* a budget, which ends the walk */
    bool level; /* a statement for each level, so that what nodes are is known before they are
                   passed */
    bool again; /* a node's project is none of those known beforehand: only levels tell right */
    struct seen seen;
    size_t node_room;
    size_t edge_room;
    size_t mask;
    uint32_t *slots;
    int64_t *frontier; /* ids to follow now */
    size_t frontier_count;
    size_t *next; /* nodes reached this way for the first time */
    size_t next_count;
    size_t next_room;
    const char *project; /* the last one asked for, and whether all of it may be seen */
    bool project_seen;
    int64_t stop; /* id of the node it is to end with; 0 for none */
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

/* Never more than half full, and of the size of the walk: a small one is not to pay for a large. */
static void more_slots(struct walking *w)
{
    size_t slots = w->slots == NULL ? 1024 : 4 * (w->mask + 1);

    if (w->slots != NULL && 2 * w->out->node_count < w->mask)
        return;
    w->mask = slots - 1;
    w->slots = arena_alloc(w->db->arena, slots * sizeof(*w->slots));
    for (size_t i = 0; i < w->out->node_count; i++)
        w->slots[slot_of(w, w->out->nodes[i].id)] = (uint32_t)i + 1;
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
    size_t at;

    more_slots(w);
    at = slot_of(w, id);
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
static bool visible(struct walking *w, const char *project, const char *node)
{
    if (w->project == NULL || strcmp(w->project, project) != 0) {
        w->project = project;
        w->project_seen = w->q->may(w->q->context, project, NULL);
    }
    return w->project_seen || w->q->may(w->q->context, project, node);
}

/* Whether the statement for all levels followed nodes of that project. */
static bool listed(const struct seen *seen, const char *project)
{
    if (seen->open)
        return true;
    for (size_t i = 0; i < seen->count; i++)
        if (strcmp(seen->projects[i], project) == 0)
            return true;
    return false;
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
        if (!visible(w, found.project, found.name)) {
            if (!w->spent) /* before a depth that was asked for */
                w->out->truncated = "redacted";
            w->again = w->again || w->seen.open;
            continue;
        }
        w->again = w->again || !listed(&w->seen, found.project);
        *node = found;
        if (w->q->stop != NULL && strcmp(w->q->stop, found.name) == 0)
            out->stop = (size_t)(node - out->nodes);
    }
    return OK;
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

static void take_edge(struct walking *w, const struct walk_level *level, size_t i, int64_t depth)
{
    size_t far = place(w, level->far[i], depth), near = place(w, level->near[i], depth);

    if (far == SIZE_MAX || near == SIZE_MAX) {
        truncated(w, "nodes", true);
        return;
    }
    w->out->nodes[near].followed |= w->way;
    reach(w, far);
    if ((w->out->nodes[far].followed & ~(unsigned)w->way) != 0)
        return; /* in a circle: the edge was met from its other end */
    add_edge(w, (struct walk_edge){.src = w->way == WALK_UP ? far : near,
                                   .dst = w->way == WALK_UP ? near : far,
                                   .kind = level->kinds[i],
                                   .at = level->at[i]});
}

static void take_level(struct walking *w, const struct walk_level *level, int64_t depth)
{
    size_t most = w->q->edges - w->out->edge_count;

    if (level->count > most)
        truncated(w, "edges", true);
    for (size_t i = 0; i < level->count && i < most; i++)
        take_edge(w, level, i, depth);
}

/* The nodes just reached that may be seen are to be followed next. */
static void advance(struct walking *w)
{
    w->frontier = arena_alloc(w->db->arena, (w->next_count + 1) * sizeof(*w->frontier));
    w->frontier_count = 0;
    for (size_t i = 0; i < w->next_count; i++)
        if (w->out->nodes[w->next[i]].name != NULL)
            w->frontier[w->frontier_count++] = w->out->nodes[w->next[i]].id;
    w->next_count = 0;
}

static enum err read_level(struct walking *w, size_t most, struct walk_level *out)
{
    const struct walk_reading r = {.q = w->q, .way = w->way};
    const struct param ids = P_INTS(w->frontier, w->frontier_count);

    return walk_read_level(w->db, &r, &ids, most, out);
}

static enum err walk_levels(struct walking *w)
{
    int64_t depth = 0;
    struct walk_level level;

    reach(w, 0);
    advance(w);
    for (; w->frontier_count > 0 && depth < w->q->depth && !w->spent; depth++) {
        size_t first = w->out->node_count;

        if (time_steady_ms() > w->until) {
            truncated(w, "time", true);
            return OK;
        }
        TRY(read_level(w, w->q->edges - w->out->edge_count + 1, &level));
        take_level(w, &level, depth + 1);
        TRY(describe(w, first));
        advance(w);
        if (w->out->stop != 0)
            return OK;
    }
    if (w->frontier_count == 0 || w->spent)
        return OK;
    TRY(read_level(w, 1, &level));
    if (level.count > 0)
        truncated(w, "depth", false);
    return OK;
}

/* Whether the walk has met the node it was to end with. */
static bool met(struct walking *w)
{
    uint32_t at = w->stop == 0 ? 0 : w->slots[slot_of(w, w->stop)];

    if (at != 0)
        w->out->stop = at - 1;
    return at != 0;
}

static enum err walk_at_once(struct walking *w)
{
    const struct walk_reading r = {.q = w->q,
                                   .way = w->way,
                                   .root = w->out->nodes[0].id,
                                   .stop = w->stop,
                                   .edges = w->q->edges + w->out->edge_count,
                                   .ms = w->until - time_steady_ms(),
                                   .seen = w->seen.open ? NULL : w->seen.projects,
                                   .seen_count = w->seen.count};
    struct walk_level *levels;
    size_t count;

    reach(w, 0);
    TRY(walk_read_levels(w->db, &r, &levels, &count));
    for (size_t d = 1; d < count && (int64_t)d <= w->q->depth; d++) {
        take_level(w, &levels[d], (int64_t)d);
        if (w->spent || met(w))
            return OK;
    }
    if ((int64_t)count - 1 > w->q->depth) {
        if (levels[count - 1].count > 0)
            truncated(w, "depth", false);
    } else if (levels[count - 1].next > 0) {
        truncated(w, "time", true);
    }
    return OK;
}

static enum err walk_one_way(struct walking *w, enum walk_way way)
{
    w->way = way;
    w->next_count = 0;
    return w->level ? walk_levels(w) : walk_at_once(w);
}

QUERY(walk_projects, "SELECT '' UNION ALL SELECT name FROM project WHERE tenant_id = $1::uuid"
                     " LIMIT $2::bigint");

static enum err look_around(struct db *db, const struct walk_question *q, struct seen *out)
{
    PGresult *rows;
    size_t count;

    TRY(db_rows(db, &walk_projects, &rows, PARAMS(P_TEXT(db->tenant), P_INT(OPEN_MAX + 1))));
    count = (size_t)PQntuples(rows);
    *out = (struct seen){.many = count > OPEN_MAX};
    out->projects = arena_alloc(db->arena, count * sizeof(*out->projects));
    for (size_t i = 0; i < count && !out->many; i++) {
        if (q->may(q->context, PQgetvalue(rows, (int)i, 0), NULL))
            out->projects[out->count++] = PQgetvalue(rows, (int)i, 0);
        else /* a part of it: which, only the names of nodes tell */
            out->many = q->may(q->context, PQgetvalue(rows, (int)i, 0), "");
    }
    out->open = !out->many && out->count == count;
    return OK;
}

enum err walk_open(struct db *db, const struct walk_question *q, bool *open)
{
    struct seen seen;

    TRY(look_around(db, q, &seen));
    *open = seen.open;
    return OK;
}

static enum err find(struct walking *w, const char *name, struct walk_node *out)
{
    return db_one(w->db, &walk_root, node_fields, out, PARAMS(P_TEXT(w->db->tenant), P_TEXT(name)));
}

static enum err begin(struct walking *w)
{
    struct walk_node root, stop = {.id = 0};

    *w->out = (struct walk){.nodes = NULL};
    TRY(find(w, w->q->node, &root));
    if (!visible(w, root.project, root.name))
        return ERR_NOT_FOUND;
    if (w->q->stop != NULL)
        TRY(find(w, w->q->stop, &stop));
    w->stop = stop.id == root.id ? 0 : stop.id;
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
    return w->level ? OK : describe(w, 1);
}

enum err walk_run(struct db *db, const struct walk_question *q, struct walk *out)
{
    struct walking w = {.db = db, .q = q, .out = out, .until = time_steady_ms() + q->ms};

    TRY(look_around(db, q, &w.seen));
    if (w.seen.many)
        return walk_run_by_levels(db, q, out);
    TRY(walk_ways(&w));
    return w.again ? walk_run_by_levels(db, q, out) : OK;
}

enum err walk_run_by_levels(struct db *db, const struct walk_question *q, struct walk *out)
{
    struct walking w = {
        .db = db, .q = q, .out = out, .until = time_steady_ms() + q->ms, .level = true};

    return walk_ways(&w);
}
