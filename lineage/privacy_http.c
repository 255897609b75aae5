/* SPDX-License-Identifier: Apache-2.0 */
#include "core/request.h"
#include "lineage/audit.h"
#include "lineage/keeper.h"
#include "lineage/privacy/remark.h"
#include "lineage/routes.h"

#include <string.h>

/* What entries say of people can be forgotten: by person, at once, or by age. That they were made,
 * and what about, stays in the tree, and every forgetting is an entry itself. */

enum { ERASED_AT_ONCE = 1000, RETENTION_LEAST = 180, RETENTION_MOST = 36500 };

struct erasure_body {
    const char *principal; /* name or id */
    const char *reason;
};

const struct field erasure_fields[] = {
    TEXT(struct erasure_body, principal, 63),
    TEXT(struct erasure_body, reason, 1000),
    FIELDS_END,
};

struct verdict {
    const char *verdict;
};
static const char *const verdicts[] = {"approve", "reject", NULL};
const struct field erasure_verdict_fields[] = {
    CHOICE(struct verdict, verdict, verdicts),
    FIELDS_END,
};

struct subject {
    const char *id;
    const char *name;
};

static const struct field subject_fields[] = {
    TEXT(struct subject, id, 36),
    TEXT(struct subject, name, 63),
    FIELDS_END,
};

QUERY(erasure_subject, "SELECT id, name FROM principal"
                       " WHERE tenant_id = $1::uuid AND (name = $2 OR id::text = $2)");

struct erasure {
    const char *id;
    const char *principal;
    const char *reason; /* opened; NULL when who wrote it was erased too */
    const char *sealed;
    const char *key_id;
    const char *key_subject;
    const char *key_wrapped;
    const char *state;
    const char *requested_by;
    const char *requested_at;
    const char *decided_by;
    const char *decided_at;
    json_t *erased;
};

/* People by their ids: this list outlives what it is about. */
static const struct field erasure_view_fields[] = {
    TEXT(struct erasure, id, 36),
    TEXT(struct erasure, principal, 36),
    OPT_TEXT(struct erasure, reason, 1000),
    TEXT(struct erasure, state, 16),
    TEXT(struct erasure, requested_by, 36),
    TIME(struct erasure, requested_at),
    OPT_TEXT(struct erasure, decided_by, 36),
    OPT_TIME(struct erasure, decided_at),
    OPT_JSON(struct erasure, erased),
    FIELDS_END,
};

static const struct field erasure_row_fields[] = {
    TEXT(struct erasure, id, 36),
    TEXT(struct erasure, principal, 36),
    TEXT(struct erasure, sealed, 4096),
    TEXT(struct erasure, key_id, 36),
    OPT_TEXT(struct erasure, key_subject, SUBJECT_SIZE),
    OPT_TEXT(struct erasure, key_wrapped, 128),
    TEXT(struct erasure, state, 16),
    TEXT(struct erasure, requested_by, 36),
    TIME(struct erasure, requested_at),
    OPT_TEXT(struct erasure, decided_by, 36),
    OPT_TIME(struct erasure, decided_at),
    OPT_JSON(struct erasure, erased),
    FIELDS_END,
};

static enum err open_reason(struct db *db, struct erasure *e)
{
    return remark_open(
        db, &(struct remark_row){e->id, e->sealed, e->key_id, e->key_subject, e->key_wrapped},
        &e->reason);
}

#define ERASURE_COLUMNS                                                                            \
    "SELECT x.id, x.subject AS principal, x.sealed, x.key_id, k.subject AS key_subject,"           \
    " k.wrapped AS key_wrapped, coalesce(verdict || CASE verdict WHEN 'approve'"                   \
    " THEN 'd' ELSE 'ed' END, 'pending') AS state, requested_by, requested_at, decided_by,"        \
    " decided_at, erased FROM audit_erasure x LEFT JOIN audit_subject_key k"                       \
    " ON k.tenant_id = x.tenant_id AND k.id = x.key_id WHERE x.tenant_id = $1::uuid"
QUERY(erasure_list, ERASURE_COLUMNS " ORDER BY x.id DESC LIMIT $2::bigint");
QUERY(erasure_find, ERASURE_COLUMNS " AND x.id = $2::uuid");
QUERY(erasure_lock, "SELECT FROM audit_erasure WHERE tenant_id = $1::uuid AND id = $2::uuid"
                    " FOR UPDATE");
QUERY(erasure_insert,
      "INSERT INTO audit_erasure (tenant_id, id, subject, key_id, sealed, requested_by, answers)"
      " VALUES ($1::uuid, $2, $3, $4, $5, $6, nullif($7, '')::uuid)");
QUERY(erasure_party, "SELECT FROM audit_erasure WHERE tenant_id = $1::uuid AND id = $2::uuid"
                     " AND $3::uuid IN (subject, requested_by, answers)");
QUERY(erasure_decide, "UPDATE audit_erasure SET verdict = $3, decided_by = $4, decided_at = now()"
                      " WHERE tenant_id = $1::uuid AND id = $2::uuid");
QUERY(erasure_sql, "SELECT id FROM audit_erase($1::uuid, $2, $3::int)");

/* "erasure PRINCIPAL\nID\nID\n…": which entries an erasure made silent. audit_check reads it. */
static const char *list_ids(struct arena *a, const struct subject *s, const PGresult *rows)
{
    struct text t = text_new((size_t)(ERASED_AT_ONCE + 2) * ID_SIZE);
    const char *list;

    text_printf(&t, "erasure %s\n", s->id);
    for (int i = 0; i < PQntuples(rows); i++)
        text_printf(&t, "%s\n", PQgetvalue(rows, i, 0));
    list = arena_copy(a, t.data, t.length);
    text_free(&t);
    return list;
}

/* The request's entry names the last ones; each full thousand before them has its own. */
static enum err record_part(struct request *rq, const char *statement)
{
    return audit_record(rq->db,
                        &(struct audit_event){.actor_id = rq->caller.id,
                                              .actor = rq->caller.name,
                                              .tenant = rq->caller.tenant,
                                              .action = "audit_erasure_part",
                                              .method = rq->method,
                                              .object = "audit/erasures",
                                              .request = rq->id,
                                              .remote = rq->remote,
                                              .status = 200,
                                              .statement = statement},
                        NULL);
}

static enum err erase(struct request *rq, const struct subject *s, int64_t *count,
                      const char **statement)
{
    PGresult *rows;

    *count = 0;
    for (;;) {
        TRY(db_rows(rq->db, &erasure_sql, &rows,
                    PARAMS(P_TEXT(s->id), P_TEXT(s->name), P_INT(ERASED_AT_ONCE))));
        *statement = list_ids(rq->arena, s, rows);
        *count += PQntuples(rows);
        if (PQntuples(rows) < ERASED_AT_ONCE)
            return OK;
        TRY(record_part(rq, *statement));
    }
}

static enum err find_erasure(struct request *rq, const char *id, struct erasure *out)
{
    TRY(db_one(rq->db, &erasure_find, erasure_row_fields, out,
               PARAMS(P_TEXT(rq->caller.tenant_id), P_TEXT(id))));
    return open_reason(rq->db, out);
}

static enum err reply_erasure(struct request *rq, const char *id)
{
    struct erasure e;

    TRY(find_erasure(rq, id, &e));
    return request_reply(rq, erasure_view_fields, &e);
}

/* GET /v1/audit/erasures: the newest thousand. */
enum err get_audit_erasures(struct request *rq)
{
    struct rows rows;

    TRY(db_list(rq->db, &erasure_list, erasure_row_fields, sizeof(struct erasure), &rows,
                PARAMS(P_TEXT(rq->caller.tenant_id), P_INT(ERASED_AT_ONCE))));
    for (size_t i = 0; i < rows.count; i++)
        TRY(open_reason(rq->db, (struct erasure *)rows.items + i));
    return request_reply_list(rq, erasure_view_fields, sizeof(struct erasure), &rows, NULL);
}

/* POST /v1/audit/erasures: asks that what entries by and about a principal say, names and bodies,
 * be destroyed. */
enum err post_audit_erasure(struct request *rq)
{
    struct erasure_body wanted;
    struct sealed_remark reason;
    struct subject s;
    char id[ID_SIZE];

    TRY(request_read(rq, &wanted));
    request_object(rq, "audit/erasures");
    TRY(db_one(rq->db, &erasure_subject, subject_fields, &s,
               PARAMS(P_TEXT(rq->caller.tenant_id), P_TEXT(wanted.principal))));
    id_new(id);
    request_object(rq, "audit/erasures/%s", id);
    TRY(remark_seal(rq->db, rq->caller.id, id, wanted.reason, &reason));
    TRY(db_change(rq->db, &erasure_insert,
                  PARAMS(P_TEXT(rq->caller.tenant_id), P_TEXT(id), P_TEXT(s.id),
                         P_TEXT(reason.key_id), P_BYTES(reason.bytes, reason.length),
                         P_TEXT(rq->caller.id), P_TEXT(rq->caller.owner_id))));
    request_audit(rq, "principal", json_string(s.id));
    request_audit(rq, "reason", json_string(wanted.reason));
    request_status(rq, 201);
    return reply_erasure(rq, id);
}

/* Neither who asked, nor whom it is about, nor a service account of theirs. */
static enum err check_party(struct request *rq, const char *id)
{
    const char *const people[] = {rq->caller.id, rq->caller.owner_id};
    PGresult *rows;

    for (size_t i = 0; i < 2; i++) {
        if (people[i] == NULL || *people[i] == '\0')
            continue;
        TRY(db_rows(rq->db, &erasure_party, &rows,
                    PARAMS(P_TEXT(rq->caller.tenant_id), P_TEXT(id), P_TEXT(people[i]))));
        if (PQntuples(rows) > 0)
            return fail(rq, ERR_FOUR_EYES,
                        "an erasure needs two people: another than who asked for it or whom it is "
                        "about must decide");
    }
    return OK;
}

QUERY(erasure_count, "UPDATE audit_erasure SET erased = $3::bigint"
                     " WHERE tenant_id = $1::uuid AND id = $2::uuid");

static enum err forget(struct request *rq, const struct erasure *e)
{
    const char *statement;
    struct subject s;
    int64_t count;

    TRY(db_one(rq->db, &erasure_subject, subject_fields, &s,
               PARAMS(P_TEXT(rq->caller.tenant_id), P_TEXT(e->principal))));
    TRY(erase(rq, &s, &count, &statement));
    request_audit(rq, "erased", json_integer((json_int_t)count));
    request_audit(rq, "statement", json_string(statement));
    return db_change(rq->db, &erasure_count,
                     PARAMS(P_TEXT(rq->caller.tenant_id), P_TEXT(e->id), P_INT(count)));
}

/* POST /v1/audit/erasures/{erasure}/decision: the second person's. With their yes it is done, in
 * the same transaction. The principal stays; so does what comes after. */
enum err post_audit_erasure_decision(struct request *rq)
{
    const char *id = rq->args[0];
    struct verdict v;
    struct erasure e;
    PGresult *locked;

    TRY(request_read(rq, &v));
    request_object(rq, "audit/erasures/%s", id);
    TRY(db_rows(rq->db, &erasure_lock, &locked, PARAMS(P_TEXT(rq->caller.tenant_id), P_TEXT(id))));
    TRY(find_erasure(rq, id, &e));
    if (strcmp(e.state, "pending") != 0)
        return fail(rq, ERR_CONFLICT, "it is %s already", e.state);
    TRY(check_party(rq, id));
    TRY(db_change(rq->db, &erasure_decide,
                  PARAMS(P_TEXT(rq->caller.tenant_id), P_TEXT(id), P_TEXT(v.verdict),
                         P_TEXT(rq->caller.id))));
    request_audit(rq, "principal", json_string(e.principal));
    request_audit(rq, "verdict", json_string(v.verdict));
    if (strcmp(v.verdict, "approve") == 0)
        TRY(forget(rq, &e));
    return reply_erasure(rq, id);
}

struct retention {
    const char *class;
    int64_t days;
};

static const struct field retention_view_fields[] = {
    TEXT(struct retention, class, 16),
    INT(struct retention, days, RETENTION_LEAST, RETENTION_MOST),
    FIELDS_END,
};

/* The EU AI Act, articles 19 and 26(6), wants six months at least. */
const struct field retention_fields[] = {
    INT(struct retention, days, RETENTION_LEAST, RETENTION_MOST),
    FIELDS_END,
};

QUERY(retention_list, "SELECT class, days FROM audit_retention WHERE tenant_id = $1::uuid"
                      " AND ($2::text IS NULL OR class = $2) ORDER BY class");
QUERY(retention_put,
      "INSERT INTO audit_retention (tenant_id, class, days) VALUES ($1::uuid, $2, $3)"
      " ON CONFLICT (tenant_id, class) DO UPDATE SET days = EXCLUDED.days");
QUERY(retention_delete, "DELETE FROM audit_retention WHERE tenant_id = $1::uuid AND class = $2");

/* GET /v1/audit/retention: for how long payloads are kept; what is not listed, for ever. */
enum err get_audit_retention(struct request *rq)
{
    struct rows rows;

    TRY(db_list(rq->db, &retention_list, retention_view_fields, sizeof(struct retention), &rows,
                PARAMS(P_TEXT(rq->caller.tenant_id), P_TEXT(NULL))));
    return request_reply_list(rq, retention_view_fields, sizeof(struct retention), &rows, NULL);
}

static enum err check_class(struct request *rq, const char *class)
{
    if (strcmp(class, "change") == 0 || strcmp(class, "read") == 0 || strcmp(class, "refusal") == 0)
        return OK;
    return fail(rq, ERR_NOT_FOUND, "the classes are change, read and refusal");
}

static enum err note_before(struct request *rq, const char *class)
{
    struct rows rows;

    request_object(rq, "audit/retention/%s", class);
    TRY(db_list(rq->db, &retention_list, retention_view_fields, sizeof(struct retention), &rows,
                PARAMS(P_TEXT(rq->caller.tenant_id), P_TEXT(class))));
    if (rows.count > 0)
        request_audit(rq, "before", field_to_json(retention_view_fields, rows.items));
    return OK;
}

/* PUT /v1/audit/retention/{class} */
enum err put_audit_retention(struct request *rq)
{
    struct retention r = {.class = NULL};

    TRY(request_read(rq, &r));
    r.class = rq->args[0];
    TRY(check_class(rq, r.class));
    TRY(note_before(rq, r.class));
    TRY(db_defer(rq->db, &retention_put,
                 PARAMS(P_TEXT(rq->caller.tenant_id), P_TEXT(r.class), P_INT(r.days))));
    request_audit(rq, "after", field_to_json(retention_view_fields, &r));
    keeper_wake();
    return request_reply(rq, retention_view_fields, &r);
}

/* DELETE /v1/audit/retention/{class} */
enum err delete_audit_retention(struct request *rq)
{
    TRY(check_class(rq, rq->args[0]));
    TRY(note_before(rq, rq->args[0]));
    TRY(db_change(rq->db, &retention_delete,
                  PARAMS(P_TEXT(rq->caller.tenant_id), P_TEXT(rq->args[0]))));
    return request_reply_empty(rq);
}
