/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/audit_store.h"

#include "core/log.h"
#include "lineage/privacy/payload.h"
#include "lineage/pseudonym.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Entry, payload and the note that it is not in the tree yet, in one statement, which fails when a
 * key was destroyed meanwhile. An erasure that is not committed yet is not waited for: what it does
 * not see, it silences all the same. */
/* clang-format off */
#define LIVE_KEY(n)                                                                                \
    "coalesce((SELECT k.id FROM audit_subject_key k WHERE k.tenant_id = $1::uuid"                  \
    "  AND k.id = " n "::uuid AND k.wrapped IS NOT NULL), audit_key_gone(" n "::uuid))"
#define AUDIT_INSERT(about)                                                                        \
    "WITH entry AS (INSERT INTO audit_entry (tenant_id, id, at, actor, action, project, object,"   \
    "                                        outcome, request_id, leaf, leaf_hash)"                \
    "  VALUES ($1::uuid, $2::uuid, $3, $4, $5, $6, $7, $8, $9, $10, $11)"                          \
    "  RETURNING tenant_id, seq, leaf_hash),"                                                      \
    " payload AS (INSERT INTO audit_payload (tenant_id, id, key_id, sealed, about_id)"             \
    "  VALUES ($1::uuid, $2::uuid, " LIVE_KEY("$12") ", $13, " about "))"                          \
    " INSERT INTO audit_pending (tenant_id, seq, leaf_hash)"                                       \
    "  SELECT tenant_id, seq, leaf_hash FROM entry"
/* clang-format on */
QUERY(audit_insert, AUDIT_INSERT("NULL"));
QUERY(audit_insert_about, AUDIT_INSERT(LIVE_KEY("$14"))); /* under two keys */

enum err audit_record(struct db *db, const struct audit_event *event, struct audit_receipt *receipt)
{
    struct sealed_payload p;
    struct audit_made m;

    audit_make(db->arena, db->tenant, event, &m);
    TRY(payload_seal(db, &m, &p));
    if (receipt != NULL) {
        memcpy(receipt->id, m.id, sizeof(receipt->id));
        hex_encode(m.hash.bytes, SHA256_SIZE, receipt->leaf);
    }
    return db_defer(
        db, p.keys == 2 ? &audit_insert_about : &audit_insert,
        (const struct param[]){P_TEXT(db->tenant), P_TEXT(m.id), P_TEXT(m.at), P_TEXT(m.actor),
                               P_TEXT(event->action), P_TEXT(m.project), P_TEXT(m.object),
                               P_TEXT(err_slug(event->outcome)), P_TEXT(event->request),
                               P_TEXT(m.leaf), P_BYTES(m.hash.bytes, SHA256_SIZE), P_TEXT(p.key_id),
                               P_BYTES(p.bytes, p.length), P_TEXT(p.about_id)},
        12 + p.keys);
}

static unsigned status_of(const struct request *rq, enum err outcome)
{
    if (outcome != OK)
        return err_status(outcome);
    if (rq->reply.status != 0)
        return rq->reply.status;
    /* What a TX_MANUAL route will reply is not known yet. */
    return rq->reply.kind == REPLY_NONE && rq->route->tx != TX_MANUAL ? 204 : 200;
}

static void release_json(void *json)
{
    json_decref(json);
}

/* A new reference to the answer; NULL when it is not JSON. */
static json_t *reply_json(const struct request *rq)
{
    const struct reply *r = &rq->reply;

    if (r->kind != REPLY_BYTES || r->type == NULL || strcmp(r->type, "application/json") != 0)
        return NULL;
    return json_loadb(r->bytes, r->length, 0, NULL);
}

/* The answer, where the route's line asks to keep it. */
static const json_t *response_of(struct request *rq)
{
    json_t *json = rq->route->audit == AUDIT_RESPONSE ? reply_json(rq) : NULL;

    if (json != NULL)
        arena_own(rq->arena, json, release_json);
    return json;
}

void audit_before(struct request *rq, const struct field *fields, const void *in)
{
    json_t *shown = field_to_json(fields, in);

    request_audit(rq, "before", json_deep_copy(shown)); /* what it refers to is about to change */
    json_decref(shown);
}

void audit_after(struct request *rq)
{
    json_t *after = reply_json(rq);

    if (after != NULL)
        request_audit(rq, "after", after);
}

void audit_after_as(struct request *rq, const struct field *fields, const void *in)
{
    json_t *shown;

    if (json_object_get(rq->audit, "before") == NULL)
        return;
    shown = field_to_json(fields, in);
    request_audit(rq, "after", json_deep_copy(shown));
    json_decref(shown);
}

void audit_before_text(struct request *rq, const char *json)
{
    request_audit(rq, "before", json_loads(json, JSON_DECODE_ANY, NULL));
}

void audit_after_text(struct request *rq, const char *json)
{
    request_audit(rq, "after", json_loads(json, JSON_DECODE_ANY, NULL));
}

static void end_change(struct request *rq, enum err outcome)
{
    if (json_object_get(rq->audit, "before") == NULL)
        return;
    if (outcome != OK) {
        (void)json_object_del(rq->audit, "before");
        (void)json_object_del(rq->audit, "after");
    } else if (json_object_get(rq->audit, "after") == NULL) {
        audit_after(rq);
    }
}

enum err audit_append(struct request *rq, enum err outcome)
{
    const struct caller *c = &rq->caller;
    struct audit_receipt receipt;
    const char *object;

    if (rq->db->tenant == NULL || *rq->db->tenant == '\0') {
        log_client("%s %s by nobody: %s", rq->method, rq->route->name, err_slug(outcome));
        return OK;
    }
    end_change(rq, outcome);
    TRY(pseudonym_of(rq->db, c, rq->object, &object));
    TRY(audit_record(rq->db,
                     &(struct audit_event){
                         .actor_id = c->id,
                         .actor = c->name,
                         .tenant = c->tenant,
                         .action = rq->route->name,
                         .method = rq->method,
                         .project = rq->project,
                         .object = object,
                         .named = object == rq->object ? NULL : rq->object,
                         .request = rq->id,
                         .remote = rq->remote,
                         .outcome = outcome,
                         .status = status_of(rq, outcome),
                         .failure = outcome == OK ? NULL : rq->detail,
                         .body = rq->route->audit >= AUDIT_REQUEST ? rq->body : NULL,
                         .response = outcome == OK ? response_of(rq) : NULL,
                         .detail = rq->audit,
                         .statement = json_string_value(json_object_get(rq->audit, "statement")),
                     },
                     &receipt));
    rq->audit_id = arena_text(rq->arena, receipt.id);
    request_set_header(rq, "Chancery-Audit",
                       arena_printf(rq->arena, "id=%s; leaf=%s", receipt.id, receipt.leaf));
    return OK;
}

/* clang-format off */
#define AUDIT_ROW                                                                                  \
    "SELECT e.seq, coalesce(l.index, -1) AS index,"                                                \
    " (extract(epoch FROM e.at) * 1000)::bigint AS at_ms, e.id, e.actor, e.action, e.project,"     \
    " e.object, e.outcome, e.request_id AS request, e.leaf, e.leaf_hash, p.sealed, p.key_id,"      \
    " k.subject AS key_subject, k.wrapped AS key_wrapped, p.about_id, a.subject AS about_subject," \
    " a.wrapped AS about_wrapped,"                                                                 \
    " substring(t.hashes FROM (32 * (l.index % 256) + 1)::int FOR 32) AS hash"
#define AUDIT_JOINS                                                                                \
    " LEFT JOIN audit_payload p ON p.tenant_id = e.tenant_id AND p.id = e.id"                      \
    " LEFT JOIN audit_subject_key k ON k.tenant_id = p.tenant_id AND k.id = p.key_id"              \
    " LEFT JOIN audit_subject_key a ON a.tenant_id = p.tenant_id AND a.id = p.about_id"            \
    " LEFT JOIN audit_tile t ON t.tenant_id = l.tenant_id AND t.level = 0 AND t.n = l.tile"
#define AUDIT_SHOWN(projects, things)                                                              \
    " AND NOT coalesce(e.project, '') = ANY(" projects "::text[])"                                 \
    " AND NOT ARRAY[coalesce(e.project || '/' || split_part(e.object, '/', 1), ''),"               \
    " coalesce(e.project || '/' || substring(e.object FROM '^[^/]+/[^/]+'), '')]"                  \
    " && " things "::text[]"
#define AUDIT_HIDDEN(f)                                                                            \
    P_TEXTS((f)->hidden.items, (f)->hidden.count),                                                 \
        P_TEXTS((f)->hidden_things.items, (f)->hidden_things.count)
#define AUDIT_PAGE(compare, order)                                                                 \
    AUDIT_ROW " FROM audit_entry e"                                                                \
    " LEFT JOIN audit_leaf l ON l.tenant_id = e.tenant_id AND l.seq = e.seq" AUDIT_JOINS           \
    " WHERE e.tenant_id = $1::uuid AND ($2::uuid IS NULL OR e.actor = $2)"                         \
    " AND ($3::text IS NULL OR e.action = $3) AND ($4::text IS NULL OR e.object = $4)"             \
    " AND ($5::text IS NULL OR e.project = $5) AND ($6::text IS NULL OR e.outcome = $6)"           \
    " AND ($7::timestamptz IS NULL OR e.at >= $7) AND ($8::timestamptz IS NULL OR e.at < $8)"      \
    " AND ($9::uuid IS NULL OR e.request_id = $9)"                                                 \
    " AND ($10::bigint IS NULL OR e.seq " compare " $10)"                                          \
    " AND ($12::text IS NULL OR (k.wrapped IS NOT NULL AND (p.about_id IS NULL OR a.wrapped IS"    \
    "  NOT NULL) AND (e.seq IN (SELECT seq FROM audit_search($1::uuid, $12))"                      \
    "  OR e.seq = ANY($15::bigint[]))))"                                                           \
    AUDIT_SHOWN("$13", "$14")                                                                      \
    " ORDER BY e.seq " order " LIMIT $11"
/* clang-format on */

QUERY(audit_page_down, AUDIT_PAGE("<", "DESC"));
QUERY(audit_page_up, AUDIT_PAGE(">", "ASC"));

enum err audit_list(struct db *db, const struct audit_filter *f, struct rows *out)
{
    TRY(db_list(db, f->ascending ? &audit_page_up : &audit_page_down, audit_row_fields,
                sizeof(struct audit_row), out,
                PARAMS(P_TEXT(db->tenant), P_TEXT(f->actor), P_TEXT(f->action), P_TEXT(f->object),
                       P_TEXT(f->project), P_TEXT(f->outcome), P_TEXT(f->from), P_TEXT(f->to),
                       P_TEXT(f->request), P_TEXT(f->after), P_INT(f->limit),
                       P_TEXT(f->words == NULL ? NULL : f->tokens), AUDIT_HIDDEN(f),
                       P_INTS(f->late, f->late_count))));
    return payload_open(db, out->items, out->count);
}

QUERY(audit_by_id,
      AUDIT_ROW " FROM audit_entry e"
                " LEFT JOIN audit_leaf l ON l.tenant_id = e.tenant_id AND l.seq = e.seq" AUDIT_JOINS
                " WHERE e.tenant_id = $1::uuid AND e.id = $2::uuid" AUDIT_SHOWN("$3", "$4"));

enum err audit_find(struct db *db, const char *id, const struct audit_filter *f,
                    struct audit_row *out)
{
    TRY(db_one(db, &audit_by_id, audit_row_fields, out,
               PARAMS(P_TEXT(db->tenant), P_TEXT(id), AUDIT_HIDDEN(f))));
    return payload_open(db, out, 1);
}

QUERY(audit_by_index, AUDIT_ROW
      " FROM audit_leaf l"
      " JOIN audit_entry e ON e.tenant_id = l.tenant_id AND e.seq = l.seq" AUDIT_JOINS
      " WHERE l.tenant_id = $1::uuid AND l.index >= $2 AND l.index < $3 ORDER BY l.index");

enum err audit_range(struct db *db, int64_t from, int64_t limit, struct rows *out)
{
    TRY(db_list(db, &audit_by_index, audit_row_fields, sizeof(struct audit_row), out,
                PARAMS(P_TEXT(db->tenant), P_INT(from), P_INT(from + limit))));
    return payload_open(db, out->items, out->count);
}

/* The newest that the index does not know yet. */
QUERY(audit_unindexed,
      "WITH late AS (SELECT l.seq FROM audit_leaf l WHERE l.tenant_id = $1::uuid AND l.index >="
      "   coalesce((SELECT h.size FROM audit_text_head h WHERE h.tenant_id = $1::uuid), 0)"
      "  UNION ALL SELECT p.seq FROM audit_pending p WHERE p.tenant_id = $1::uuid"
      "  ORDER BY 1 DESC LIMIT $2) " AUDIT_ROW
      " FROM late JOIN audit_entry e ON e.tenant_id = $1::uuid AND e.seq = late.seq"
      " LEFT JOIN audit_leaf l ON l.tenant_id = e.tenant_id AND l.seq = e.seq" AUDIT_JOINS
      " ORDER BY e.seq");

enum err audit_late(struct db *db, int64_t limit, struct rows *out)
{
    TRY(db_list(db, &audit_unindexed, audit_row_fields, sizeof(struct audit_row), out,
                PARAMS(P_TEXT(db->tenant), P_INT(limit))));
    return payload_open(db, out->items, out->count);
}

QUERY(audit_actor_sql, "SELECT id FROM principal WHERE tenant_id = $1::uuid AND name = $2");

enum err audit_actor(struct db *db, const char *name, const char **id)
{
    PGresult *rows;

    TRY(db_rows(db, &audit_actor_sql, &rows, PARAMS(P_TEXT(db->tenant), P_TEXT(name))));
    if (PQntuples(rows) == 0)
        return ERR_NOT_FOUND;
    *id = PQgetvalue(rows, 0, 0);
    return OK;
}

QUERY(audit_sequenced_sql, "SELECT coalesce(l.index < h.signed_size, false), l.index"
                           "  FROM audit_entry e"
                           " LEFT JOIN audit_leaf l ON l.tenant_id = e.tenant_id AND l.seq = e.seq"
                           " LEFT JOIN audit_log h ON h.tenant_id = e.tenant_id"
                           " WHERE e.tenant_id = $1::uuid AND e.id = $2::uuid");

enum err audit_wait_sequenced(struct db *db, const char *id, int64_t ms, int64_t *index)
{
    const struct timespec pause = {.tv_nsec = 20L * 1000 * 1000};
    int64_t until = time_steady_ms() + ms;

    for (;;) {
        PGresult *rows;

        TRY(db_rows(db, &audit_sequenced_sql, &rows, PARAMS(P_TEXT(db->tenant), P_TEXT(id))));
        if (PQntuples(rows) == 0)
            return ERR_NOT_FOUND;
        if (*PQgetvalue(rows, 0, 0) == 't') {
            *index = strtoll(PQgetvalue(rows, 0, 1), NULL, 10);
            return OK;
        }
        if (time_steady_ms() >= until)
            return ERR_TIMEOUT;
        (void)nanosleep(&pause, NULL);
    }
}
