/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/graph/walk_read.h"

#include "core/text.h"

#include <stdlib.h>
#include <string.h>

/* Lists cost less than a row an edge. Times are microseconds since 1970. */
#define LEVEL_COLUMNS                                                                              \
    " count(*) AS count, string_agg(f.near::text, ',') AS near, array_agg(f.far) AS far,"          \
    " string_agg(f.kind, ',') AS kinds,"                                                           \
    " string_agg((date_part('epoch', f.at) * 1e6)::bigint::text, ',') AS at"

/* clang-format off */
#define LEVEL_EDGES(near, far, ids, limit)                                                         \
    "(SELECT " near " AS near, " far " AS far, kind, at FROM lineage_edge"                         \
    "  WHERE tenant_id = $1::uuid AND " near " = ANY (" ids ")"                                    \
    "    AND ($3::timestamptz IS NULL OR at <= $3)"                                                \
    "    AND ($4::timestamptz IS NULL OR recorded_at <= $4)"                                       \
    "    AND NOT ($5::boolean AND kind = 'predict') LIMIT " limit ") f"

#define LEVEL_ONE(near, far)                                                                       \
    "SELECT 0 AS next," LEVEL_COLUMNS " FROM " LEVEL_EDGES(near, far, "$2::bigint[]", "$6::bigint")

/* OFFSET 0: else what a level needs twice would be computed twice. */
#define LEVEL_ALL(near, far)                                                                       \
    "WITH RECURSIVE walk (depth, found, follow, edges, count, near, far, kinds, at) AS ("          \
    " SELECT 0, ARRAY [$2::bigint], ARRAY [$2::bigint], 0::bigint, 0::bigint, NULL::text,"         \
    "        NULL::bigint[], NULL::text, NULL::text"                                               \
    " UNION ALL"                                                                                   \
    " SELECT w.depth + 1, w.found || n.fresh, v.follow, w.edges + e.count, e.count, e.near, e.far,"\
    "        e.kinds, e.at"                                                                        \
    "   FROM walk w CROSS JOIN LATERAL (SELECT" LEVEL_COLUMNS " FROM "                             \
    LEVEL_EDGES(near, far, "w.follow", "CASE WHEN w.depth < $6::bigint THEN $8::bigint + 1 ELSE 1 END") ") e" \
    "  CROSS JOIN LATERAL (SELECT ARRAY (SELECT unnest(e.far) EXCEPT SELECT unnest(w.found))"      \
    "                             AS fresh OFFSET 0) n"                                            \
    "  CROSS JOIN LATERAL (SELECT CASE WHEN $10::text[] IS NULL THEN n.fresh ELSE ARRAY ("         \
    "                 SELECT id FROM lineage_node WHERE tenant_id = $1::uuid"                      \
    "                    AND id = ANY (n.fresh) AND project = ANY ($10)) END AS follow OFFSET 0) v"\
    "  WHERE w.depth <= $6 AND cardinality(w.follow) > 0 AND cardinality(w.found) <= $7::bigint"   \
    "    AND w.edges <= $8 AND ($11::bigint = ANY (w.found)) IS NOT TRUE"                            \
    "    AND clock_timestamp() < statement_timestamp() + $9::bigint * interval '1 ms')"            \
    " SELECT cardinality(follow) AS next, count, near, far, kinds, at FROM walk ORDER BY depth"
/* clang-format on */
QUERY(walk_level_up, LEVEL_ONE("dst", "src"));
QUERY(walk_level_down, LEVEL_ONE("src", "dst"));
QUERY(walk_all_up, LEVEL_ALL("dst", "src"));
QUERY(walk_all_down, LEVEL_ALL("src", "dst"));

enum { NEXT, COUNT, NEAR, FAR, KINDS, AT }; /* columns */

/* 1,2,3 or {1,2,3} */
static const int64_t *numbers(struct arena *a, const char *text, size_t count)
{
    int64_t *out = arena_alloc(a, (count + 1) * sizeof(*out));
    char *at = (char *)(uintptr_t)text; /* NOLINT(performance-no-int-to-ptr): strtoll's end */

    at += *at == '{';
    for (size_t i = 0; i < count; i++, at++)
        out[i] = strtoll(at, &at, 10);
    return out;
}

/* consume,produce */
static const char **words(struct arena *a, const char *text, size_t count)
{
    const char **out = arena_alloc(a, (count + 1) * sizeof(*out));
    char *at = arena_text(a, text);

    for (size_t i = 0; i < count; i++) {
        out[i] = at;
        at += strcspn(at, ",");
        *at++ = '\0';
    }
    return out;
}

static const char **times(struct arena *a, const char *text, size_t count)
{
    const int64_t *us = numbers(a, text, count);
    const char **out = arena_alloc(a, (count + 1) * sizeof(*out));
    char *room = arena_alloc(a, (count + 1) * TIME_SIZE);

    for (size_t i = 0; i < count; i++) {
        char *at = room + i * TIME_SIZE;

        time_format(us[i] / 1000, at);
        out[i] = at;
    }
    return out;
}

static void read_level(struct arena *a, const PGresult *rows, int i, struct walk_level *out)
{
    size_t count = strtoull(PQgetvalue(rows, i, COUNT), NULL, 10);

    *out =
        (struct walk_level){.count = count, .next = strtoull(PQgetvalue(rows, i, NEXT), NULL, 10)};
    if (count == 0)
        return;
    out->near = numbers(a, PQgetvalue(rows, i, NEAR), count);
    out->far = numbers(a, PQgetvalue(rows, i, FAR), count);
    out->kinds = words(a, PQgetvalue(rows, i, KINDS), count);
    out->at = times(a, PQgetvalue(rows, i, AT), count);
}

enum err walk_read_level(struct db *db, const struct walk_reading *r, const struct param *ids,
                         size_t most, struct walk_level *out)
{
    PGresult *rows;

    TRY(db_rows(db, r->way == WALK_UP ? &walk_level_up : &walk_level_down, &rows,
                PARAMS(P_TEXT(db->tenant), *ids, P_TEXT(r->q->as_of), P_TEXT(r->q->known_at),
                       P_BOOL(r->q->skip_predictions), P_INT((int64_t)most))));
    read_level(db->arena, rows, 0, out);
    return OK;
}

enum err walk_read_levels(struct db *db, const struct walk_reading *r, struct walk_level **out,
                          size_t *count)
{
    const struct walk_question *q = r->q;
    const struct param none = P_TEXT(NULL);
    PGresult *rows;

    TRY(db_rows(db, r->way == WALK_UP ? &walk_all_up : &walk_all_down, &rows,
                PARAMS(P_TEXT(db->tenant), P_INT(r->root), P_TEXT(q->as_of), P_TEXT(q->known_at),
                       P_BOOL(q->skip_predictions), P_INT(q->depth), P_INT((int64_t)q->nodes),
                       P_INT((int64_t)r->edges), P_INT(r->ms),
                       r->seen == NULL ? none : P_TEXTS(r->seen, r->seen_count),
                       r->stop == 0 ? none : P_INT(r->stop))));
    *count = (size_t)PQntuples(rows);
    *out = arena_alloc(db->arena, (*count + 1) * sizeof(**out));
    for (size_t i = 0; i < *count; i++)
        read_level(db->arena, rows, (int)i, &(*out)[i]);
    return OK;
}
