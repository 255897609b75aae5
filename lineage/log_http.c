/* SPDX-License-Identifier: Apache-2.0 */
#include "core/request.h"
#include "lineage/audit_view.h"
#include "lineage/log.h"
#include "lineage/proof.h"
#include "lineage/routes.h"
#include "lineage/sequencer.h"
#include "lineage/witness.h"

#include <string.h>

static const char plain[] = "text/plain; charset=utf-8";

static void release_text(void *text)
{
    text_free(text);
}

/* Text that lives as long as the request. */
static struct text *request_text(struct request *rq, size_t max)
{
    struct text *t = arena_alloc(rq->arena, sizeof(*t));

    *t = text_new(max);
    arena_own(rq->arena, t, release_text);
    return t;
}

/* The head with its newest checkpoint, under which stand the signatures of witnesses. */
static enum err find_signed(struct request *rq, struct log *l)
{
    const char *lines;

    TRY(log_find(rq->db, l));
    if (l->checkpoint == NULL)
        return ERR_NOT_FOUND;
    TRY(witness_lines(rq->db, l, &lines));
    l->checkpoint = arena_printf(rq->arena, "%s%s", l->checkpoint, lines);
    return OK;
}

/* GET /v1/audit/log/checkpoint */
enum err get_audit_checkpoint(struct request *rq)
{
    struct log l;

    TRY(find_signed(rq, &l));
    request_set_header(rq, "Cache-Control", "no-cache");
    return request_reply_bytes(rq, plain, l.checkpoint, strlen(l.checkpoint));
}

/* GET /v1/audit/log/state: a restored database or a log begun anew is noticed without a restart. */
enum err get_audit_state(struct request *rq)
{
    char since[TIME_SIZE];
    struct refusal r;

    request_set_header(rq, "Cache-Control", "no-cache");
    if (!sequencer_refuses(rq->caller.tenant_id, &r))
        return request_reply_json(rq, json_pack("{s:s}", "state", "extended"));
    time_format(r.since_ms, since);
    return request_reply_json(
        rq, json_pack("{s:s, s:s, s:s}", "state", "refused", "reason", r.why, "since", since));
}

/* GET /v1/audit/log/vkey */
enum err get_audit_vkey(struct request *rq)
{
    char vkey[NOTE_VKEY_SIZE];
    const char *line;
    struct note_key key;
    struct log l;

    TRY(log_find(rq->db, &l));
    TRY(note_key(l.origin, l.public, &key));
    note_vkey(&key, vkey);
    line = arena_printf(rq->arena, "%s\n", vkey);
    return request_reply_bytes(rq, plain, line, strlen(line));
}

/* GET /v1/audit/log/tile/{path+}: only what a tree of some size up to the signed one has. */
enum err get_audit_tile(struct request *rq)
{
    const struct tile_source tiles = log_tiles(rq->db);
    struct text *bytes;
    struct tile t;
    struct log l;
    enum err e;

    if (!tile_path_parse(arena_printf(rq->arena, "tile/%s", rq->args[0]), &t))
        return ERR_NOT_FOUND;
    if (t.level == TILE_ENTRIES)
        TRY(audit_whole(rq));
    TRY(find_signed(rq, &l));
    if (t.index > l.signed_size ||
        tile_count(t.level, l.signed_size) < t.index * TILE_WIDTH + t.width)
        return ERR_NOT_FOUND;
    bytes = request_text(rq, t.level == TILE_ENTRIES ? BUNDLE_MAX : TILE_BYTES);
    e = tiles.load(tiles.context, t, bytes);
    if (e == ERR_NOT_FOUND || e == ERR_CONTENT)
        return fail(rq, ERR_INTERNAL, "the log's storage lacks tile/%s", rq->args[0]);
    TRY(e);
    request_set_header(rq, "Cache-Control", "private, max-age=31536000, immutable");
    return request_reply_bytes(rq, "application/octet-stream", bytes->data, bytes->length);
}

static enum err prove(struct request *rq, const struct log *l, uint64_t index, struct text *out)
{
    const struct tile_source tiles = log_tiles(rq->db);
    struct log_proof proof = {
        .index = index, .checkpoint = l->checkpoint, .checkpoint_length = strlen(l->checkpoint)};
    struct tile_reader *reader = tile_reader_new(&tiles, l->signed_size);
    const struct merkle_nodes nodes = tile_nodes(reader);
    enum err e = merkle_inclusion(&nodes, index, l->signed_size, &proof.path);

    tile_reader_free(reader);
    if (e == ERR_NOT_FOUND || e == ERR_CONTENT)
        return fail(rq, ERR_INTERNAL, "the log's storage lacks tiles that the proof needs");
    if (e == OK)
        log_proof_write(out, &proof);
    return e;
}

/* GET /v1/audit/entries/{id}/proof */
enum err get_audit_proof(struct request *rq)
{
    struct text *out = request_text(rq, LOG_PROOF_MAX);
    struct log l = {.checkpoint = NULL};
    int64_t index;
    enum err e;

    TRY(log_index(rq->db, rq->args[0], &index));
    e = find_signed(rq, &l);
    if (e != OK && e != ERR_NOT_FOUND)
        return e;
    if (index < 0 || (uint64_t)index >= l.signed_size)
        return fail(rq, ERR_UNAVAILABLE,
                    "no checkpoint covers this entry yet; try again in a second");
    TRY(prove(rq, &l, (uint64_t)index, out));
    return request_reply_bytes(rq, plain, out->data, out->length);
}

static json_t *hashes_json(struct request *rq, const struct merkle_proof *proof)
{
    json_t *list = json_array();

    for (size_t i = 0; i < proof->count; i++)
        json_array_append_new(
            list, json_string(base64_encode(rq->arena, proof->hashes[i].bytes, SHA256_SIZE)));
    return list;
}

static enum err root_and_proof(struct request *rq, uint64_t from, uint64_t to,
                               struct digest roots[2], struct merkle_proof *proof)
{
    const struct tile_source tiles = log_tiles(rq->db);
    struct tile_reader *reader = tile_reader_new(&tiles, to);
    const struct merkle_nodes nodes = tile_nodes(reader);
    enum err e = merkle_consistency(&nodes, from, to, proof);

    if (e == OK)
        e = merkle_root(&nodes, from, &roots[0]);
    if (e == OK)
        e = merkle_root(&nodes, to, &roots[1]);
    tile_reader_free(reader);
    if (e == ERR_NOT_FOUND || e == ERR_CONTENT)
        return fail(rq, ERR_INTERNAL, "the log's storage lacks tiles that the proof needs");
    return e;
}

/* GET /v1/audit/log/consistency?from=&to= (RFC 6962 §2.1.2); to is the signed size when absent. */
enum err get_audit_consistency(struct request *rq)
{
    struct merkle_proof proof;
    struct digest roots[2];
    int64_t from, to;
    struct log l;

    TRY(find_signed(rq, &l));
    TRY(request_query_int(rq, "to", 0, (int64_t)l.signed_size, (int64_t)l.signed_size, &to));
    TRY(request_query_int(rq, "from", 0, to, 0, &from));
    TRY(root_and_proof(rq, (uint64_t)from, (uint64_t)to, roots, &proof));
    return request_reply_json(
        rq, json_pack("{s:I, s:s, s:I, s:s, s:o}", "from", (json_int_t)from, "from_root",
                      base64_encode(rq->arena, roots[0].bytes, SHA256_SIZE), "to", (json_int_t)to,
                      "to_root", base64_encode(rq->arena, roots[1].bytes, SHA256_SIZE), "hashes",
                      hashes_json(rq, &proof)));
}
