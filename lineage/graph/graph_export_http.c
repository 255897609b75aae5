/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/graph/graph_export.h"

#include "lineage/canonical.h"
#include "lineage/graph/answer.h"
#include "lineage/graph/prov.h"
#include "lineage/jsontext.h"
#include "lineage/log.h"
#include "lineage/proof.h"
#include "lineage/routes.h"

#include <stdlib.h>
#include <string.h>

enum { PROOF_NODES_MAX = 2000, PROOF_ENTRIES_MAX = 5000 };

static void release_json(void *json)
{
    json_decref(json);
}

static enum err read_walk(struct request *rq, size_t nodes, struct walk *w)
{
    struct walk_question q;

    TRY(question_read(rq, "node", &q));
    TRY(question_ways(rq, &q.ways));
    TRY(request_query_int(rq, "depth", 1, DEPTH_MAX, DEPTH, &q.depth));
    q.nodes = nodes;
    return walk_run(rq->db, &q, w);
}

/* GET /v1/lineage/export?node=&format=prov&direction=&depth=&as_of=&known_at= */
enum err get_lineage_export(struct request *rq)
{
    const char *format = request_query(rq, "format");
    struct text *t = answer_text(rq);
    struct walk w;
    struct log l;
    json_t *json;

    if (format != NULL && strcmp(format, "prov") != 0) {
        rq->target = "format";
        return fail(rq, ERR_INVALID, "format must be prov");
    }
    TRY(read_walk(rq, NODES_MAX, &w));
    TRY(log_find(rq->db, &l));
    json = prov_of(
        rq->arena, &w,
        arena_printf(rq->arena, "https://%.*s/lineage/", (int)strcspn(l.origin, "/"), l.origin));
    arena_own(rq->arena, json, release_json);
    TRY(canonical_json(json, t));
    request_set_header(rq, "Chancery-Complete", w.truncated == NULL ? "true" : w.truncated);
    return answer_reply(rq, t);
}

QUERY(edge_requests,
      "SELECT DISTINCT e.src, e.dst, e.kind, e.request_id, utc_text(e.at)"
      "  FROM unnest($2::bigint[], $3::bigint[]) x (s, d)"
      "  JOIN lineage_edge e ON e.tenant_id = $1::uuid AND e.src = x.s AND e.dst = x.d"
      " ORDER BY 1, 2, 3");

struct proving {
    struct request *rq;
    const struct walk *walk;
    const struct graph_export *of;
    struct text *out;
    PGresult *requests;
    struct log log;
};

static enum err load_requests(struct proving *p)
{
    const struct walk *w = p->walk;
    struct arena *a = p->rq->arena;
    int64_t *src = arena_alloc(a, (w->edge_count + 1) * sizeof(*src));
    int64_t *dst = arena_alloc(a, (w->edge_count + 1) * sizeof(*dst));

    for (size_t i = 0; i < w->edge_count; i++) {
        src[i] = w->nodes[w->edges[i].src].id;
        dst[i] = w->nodes[w->edges[i].dst].id;
    }
    return db_rows(
        p->rq->db, &edge_requests, &p->requests,
        PARAMS(P_TEXT(p->rq->db->tenant), P_INTS(src, w->edge_count), P_INTS(dst, w->edge_count)));
}

static const struct walk_node *node_of(const struct walk *w, const char *id)
{
    int64_t wanted = strtoll(id, NULL, 10);

    for (size_t i = 0; i < w->node_count; i++)
        if (w->nodes[i].id == wanted)
            return &w->nodes[i];
    return NULL;
}

static void add_edges(struct proving *p)
{
    const PGresult *r = p->requests;
    bool first = true;

    for (int i = 0; i < PQntuples(r); i++) {
        const struct walk_node *src = node_of(p->walk, PQgetvalue(r, i, 0));
        const struct walk_node *dst = node_of(p->walk, PQgetvalue(r, i, 1));

        if (src == NULL || dst == NULL || src->name == NULL || dst->name == NULL)
            continue;
        graph_add_name(p->out, first ? "{\"src\":" : ",{\"src\":", src);
        graph_add_name(p->out, ",\"dst\":", dst);
        json_add_member(p->out, false, "kind", PQgetvalue(r, i, 2));
        json_add_member(p->out, false, "at", PQgetvalue(r, i, 4));
        json_add_member(p->out, false, "request",
                        PQgetisnull(r, i, 3) ? NULL : PQgetvalue(r, i, 3));
        text_puts(p->out, "}");
        first = false;
    }
}

QUERY(request_entries,
      "SELECT e.leaf, coalesce(l.index, -1) FROM audit_entry e"
      "  LEFT JOIN audit_leaf l ON l.tenant_id = e.tenant_id AND l.seq = e.seq"
      " WHERE e.tenant_id = $1::uuid AND e.outcome = 'ok' AND (e.request_id = ANY ($2::uuid[])"
      "    OR (e.object = ANY ($5::text[]) AND e.project = $4))"
      " ORDER BY l.index LIMIT $3::bigint");

static enum err add_entry(struct proving *p, const struct merkle_nodes *nodes, const char *leaf,
                          int64_t index)
{
    struct log_proof proof = {.index = (uint64_t)index,
                              .checkpoint = p->log.checkpoint,
                              .checkpoint_length = strlen(p->log.checkpoint)};
    struct text text = text_new(LOG_PROOF_MAX);
    enum err e;

    if (index < 0 || (uint64_t)index >= p->log.signed_size)
        return fail(p->rq, ERR_UNAVAILABLE,
                    "no checkpoint covers all of this yet; try again in a second");
    e = merkle_inclusion(nodes, proof.index, p->log.signed_size, &proof.path);
    if (e == OK) {
        log_proof_write(&text, &proof);
        json_add_member(p->out, true, "leaf", leaf);
        json_add_member(p->out, false, "proof", text.data);
    }
    text_free(&text);
    return e == OK ? OK : fail(p->rq, ERR_INTERNAL, "the log's storage lacks tiles");
}

static enum err add_entries(struct proving *p, const struct merkle_nodes *nodes)
{
    const char **ids =
        arena_alloc(p->rq->arena, ((size_t)PQntuples(p->requests) + 1) * sizeof(*ids));
    PGresult *rows;
    size_t count = 0;

    for (int i = 0; i < PQntuples(p->requests); i++)
        if (!PQgetisnull(p->requests, i, 3))
            ids[count++] = PQgetvalue(p->requests, i, 3);
    TRY(db_rows(p->rq->db, &request_entries, &rows,
                PARAMS(P_TEXT(p->rq->db->tenant), P_TEXTS(ids, count), P_INT(PROOF_ENTRIES_MAX + 1),
                       P_TEXT(p->of->project),
                       P_TEXTS(p->of->objects.items, p->of->objects.count))));
    if (PQntuples(rows) > PROOF_ENTRIES_MAX)
        return fail(p->rq, ERR_TOO_LARGE,
                    "more than %d entries stand behind it; ask for less depth", PROOF_ENTRIES_MAX);
    for (int i = 0; i < PQntuples(rows); i++) {
        text_puts(p->out, i == 0 ? "{" : ",{");
        TRY(add_entry(p, nodes, PQgetvalue(rows, i, 0), strtoll(PQgetvalue(rows, i, 1), NULL, 10)));
        text_puts(p->out, "}");
    }
    return OK;
}

static enum err prove(struct proving *p)
{
    const struct tile_source tiles = log_tiles(p->rq->db);
    struct tile_reader *reader;
    struct merkle_nodes nodes;
    enum err e;

    TRY(log_find(p->rq->db, &p->log));
    if (p->log.checkpoint == NULL)
        return fail(p->rq, ERR_UNAVAILABLE, "the log has no checkpoint yet; try again in a second");
    reader = tile_reader_new(&tiles, p->log.signed_size);
    nodes = tile_nodes(reader);
    e = add_entries(p, &nodes);
    tile_reader_free(reader);
    return e;
}

enum err graph_export(struct request *rq, const struct graph_export *of, struct text *out,
                      struct log *log)
{
    struct proving p = {.rq = rq, .walk = of->walk, .of = of, .out = out};

    TRY(load_requests(&p));
    text_puts(out, "\"nodes\":[");
    for (size_t i = 0; i < of->walk->node_count; i++) {
        text_puts(out, i == 0 ? "" : ",");
        graph_add_node(out, &of->walk->nodes[i]);
    }
    text_puts(out, "],\"edges\":[");
    add_edges(&p);
    text_puts(out, "],\"entries\":[");
    TRY(prove(&p));
    text_puts(out, "]");
    *log = p.log;
    return OK;
}

/* GET /v1/lineage/proof?node=&direction=&depth=: the graph, and for each of its edges the audit
 * entry that stands behind it, with its proof. */
enum err get_lineage_proof(struct request *rq)
{
    struct text *out = answer_text(rq);
    struct walk w;
    struct log l;

    TRY(read_walk(rq, PROOF_NODES_MAX, &w));
    graph_add_name(out, "{\"root\":", &w.nodes[0]);
    text_puts(out, ",");
    TRY(graph_export(rq, &(struct graph_export){.walk = &w, .project = ""}, out, &l));
    graph_add_end(out, w.truncated);
    return answer_reply(rq, out);
}
