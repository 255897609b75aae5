/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/webhook.h"

#include "registry/mlflow/mlflow.h"

static const struct field webhook_fields[] = {
    TEXT(struct webhook, id, 36),
    TEXT(struct webhook, name, 63),
    TEXT(struct webhook, url, 2000),
    OPT_TEXT(struct webhook, description, 2000),
    TEXT(struct webhook, status, 10),
    TEXTS(struct webhook, events, WEBHOOK_EVENTS_MAX),
    OPT_TEXT(struct webhook, sealed, 4096),
    NAME(struct webhook, project),
    FIELDS_END,
};

const struct field webhook_delivery_fields[] = {
    TEXT(struct webhook_delivery, id, 36),
    TEXT(struct webhook_delivery, event, 64),
    TEXT(struct webhook_delivery, state, 10),
    INT(struct webhook_delivery, attempts, 0, 100),
    INT(struct webhook_delivery, status, 0, 999),
    OPT_TEXT(struct webhook_delivery, problem, 1000),
    TIME(struct webhook_delivery, created_at),
    OPT_TIME(struct webhook_delivery, finished_at),
    FIELDS_END,
};
static const struct field delivery_columns[] = {
    INT(struct webhook_delivery, seq, 1, INT64_MAX),  TEXT(struct webhook_delivery, id, 36),
    TEXT(struct webhook_delivery, event, 64),         TEXT(struct webhook_delivery, state, 10),
    INT(struct webhook_delivery, attempts, 0, 100),   INT(struct webhook_delivery, status, 0, 999),
    OPT_TEXT(struct webhook_delivery, problem, 1000), TIME(struct webhook_delivery, created_at),
    OPT_TIME(struct webhook_delivery, finished_at),   FIELDS_END,
};

static const struct field due_fields[] = {
    TEXT(struct webhook_due, delivery, 36),
    TEXT(struct webhook_due, webhook, 36),
    TEXT(struct webhook_due, event, 64),
    TEXT(struct webhook_due, payload, 1 << 24),
    TEXT(struct webhook_due, url, 2000),
    OPT_TEXT(struct webhook_due, sealed, 4096),
    NAME(struct webhook_due, project),
    INT(struct webhook_due, attempts, 0, 100),
    FIELDS_END,
};

QUERY(webhook_create_sql,
      "INSERT INTO webhook (tenant_id, id, project_id, name, url, description, status, events,"
      " sealed, created_by) SELECT current_tenant(), $1::uuid, $2::uuid, $3, $4, coalesce($5, ''),"
      " $6, $7::text[], decode($8, 'hex'), $9::uuid"
      " ON CONFLICT (tenant_id, project_id, name) DO NOTHING");

enum err webhook_create(struct db *db, const char *project_id, const struct webhook *w,
                        const char *by)
{
    enum err e =
        db_change(db, &webhook_create_sql,
                  PARAMS(P_TEXT(w->id), P_TEXT(project_id), P_TEXT(w->name), P_TEXT(w->url),
                         P_TEXT(w->description), P_TEXT(w->status),
                         P_TEXTS(w->events.items, w->events.count), P_TEXT(w->sealed), P_TEXT(by)));

    return e == ERR_NOT_FOUND ? ERR_EXISTS : e;
}

QUERY(webhook_update_sql,
      "UPDATE webhook SET name = $2, url = $3, description = coalesce($4, ''), status = $5,"
      " events = $6::text[], sealed = decode($7, 'hex'), updated_at = now()"
      " WHERE tenant_id = current_tenant() AND id = $1::uuid");

enum err webhook_update(struct db *db, const struct webhook *w)
{
    return db_change(db, &webhook_update_sql,
                     PARAMS(P_TEXT(w->id), P_TEXT(w->name), P_TEXT(w->url), P_TEXT(w->description),
                            P_TEXT(w->status), P_TEXTS(w->events.items, w->events.count),
                            P_TEXT(w->sealed)));
}

QUERY(webhook_delete_sql, "DELETE FROM webhook WHERE tenant_id = current_tenant()"
                          " AND project_id = $1::uuid AND id::text = $2");

enum err webhook_delete(struct db *db, const char *project_id, const char *id)
{
    return db_change(db, &webhook_delete_sql, PARAMS(P_TEXT(project_id), P_TEXT(id)));
}

#define OF_PROJECT                                                                                 \
    " FROM webhook w JOIN project p ON p.tenant_id = w.tenant_id AND p.id = w.project_id"          \
    " WHERE w.tenant_id = current_tenant() AND w.project_id = $1::uuid"

QUERY(webhook_find_sql,
      "SELECT w.id, w.name, w.url, w.description, w.status, w.events,"
      " encode(w.sealed, 'hex') AS sealed, p.name AS project" OF_PROJECT " AND w.id::text = $2");

enum err webhook_find(struct db *db, const char *project_id, const char *id, struct webhook *out)
{
    return db_one(db, &webhook_find_sql, webhook_fields, out,
                  PARAMS(P_TEXT(project_id), P_TEXT(id)));
}

/* Without its secret. */
#define WEBHOOK_JSON                                                                               \
    "json_build_object('webhook_id', w.id, 'name', w.name, 'url', w.url, 'description',"           \
    " w.description, 'status', w.status, 'creation_timestamp',"                                    \
    " (extract(epoch FROM w.created_at) * 1000)::bigint, 'last_updated_timestamp',"                \
    " (extract(epoch FROM w.updated_at) * 1000)::bigint, 'events', (SELECT json_agg("              \
    "json_build_object('entity', upper(split_part(e, '.', 1)), 'action',"                          \
    " upper(split_part(e, '.', 2))) ORDER BY n) FROM unnest(w.events) WITH ORDINALITY x (e, n)))"

QUERY(webhook_show_sql,
      "SELECT json_build_object('webhook', " WEBHOOK_JSON ")" OF_PROJECT " AND w.id::text = $2");

enum err webhook_show(struct db *db, const char *project_id, const char *id, const char **json)
{
    return mlflow_json(db, &webhook_show_sql, json, PARAMS(P_TEXT(project_id), P_TEXT(id)));
}

QUERY(webhook_list_sql,
      "WITH w AS (SELECT w.*, row_number() OVER () AS n FROM (SELECT w.*" OF_PROJECT
      " ORDER BY w.name LIMIT $2::bigint + 1 OFFSET $3::bigint) w) SELECT json_build_object("
      "'webhooks', coalesce(json_agg(" WEBHOOK_JSON " ORDER BY w.n) FILTER (WHERE w.n <="
      " $2::bigint), '[]'), 'next_page_token', CASE WHEN count(*) > $2::bigint THEN"
      " '+' || ($3::bigint + $2::bigint) END) FROM w");

enum err webhook_list(struct db *db, const char *project_id, int64_t limit, int64_t offset,
                      const char **json)
{
    return mlflow_json(db, &webhook_list_sql, json,
                       PARAMS(P_TEXT(project_id), P_INT(limit), P_INT(offset)));
}

QUERY(webhook_deliveries_sql,
      "SELECT d.seq, d.id, d.event, d.state, d.attempts, d.status, d.problem, d.created_at,"
      " d.finished_at FROM webhook_delivery d JOIN webhook w ON w.tenant_id = d.tenant_id"
      " AND w.id = d.webhook_id WHERE d.tenant_id = current_tenant() AND w.project_id = $1::uuid"
      " AND w.id::text = $2 AND d.seq < $3::bigint ORDER BY d.seq DESC LIMIT $4::bigint");

enum err webhook_deliveries(struct db *db, const char *project_id, const char *id, int64_t before,
                            int64_t limit, struct rows *out)
{
    return db_list(db, &webhook_deliveries_sql, delivery_columns, sizeof(struct webhook_delivery),
                   out, PARAMS(P_TEXT(project_id), P_TEXT(id), P_INT(before), P_INT(limit)));
}

QUERY(webhook_claim_sql,
      "WITH c AS (UPDATE webhook_delivery d SET next_at = now() + interval '1 minute',"
      " attempts = d.attempts + 1 WHERE d.tenant_id = current_tenant() AND d.seq IN (SELECT x.seq"
      "  FROM webhook_delivery x WHERE x.tenant_id = current_tenant() AND x.state = 'pending'"
      "  AND x.next_at <= now() ORDER BY x.seq LIMIT $1::bigint FOR UPDATE SKIP LOCKED)"
      " RETURNING d.*) SELECT c.id AS delivery, w.id AS webhook, c.event, c.payload::text AS"
      " payload, w.url, encode(w.sealed, 'hex') AS sealed, p.name AS project, c.attempts FROM c"
      " JOIN webhook w ON w.tenant_id = c.tenant_id AND w.id = c.webhook_id"
      " JOIN project p ON p.tenant_id = w.tenant_id AND p.id = w.project_id ORDER BY c.seq");

enum err webhook_claim(struct db *db, int64_t limit, struct rows *out)
{
    return db_list(db, &webhook_claim_sql, due_fields, sizeof(struct webhook_due), out,
                   PARAMS(P_INT(limit)));
}

QUERY(webhook_outcome_sql,
      "UPDATE webhook_delivery SET state = $2, status = $3::int, problem = $4,"
      " next_at = now() + make_interval(secs => 2 ^ least(attempts, 8)),"
      " finished_at = CASE WHEN $2 = 'pending' THEN NULL ELSE now() END"
      " WHERE tenant_id = current_tenant() AND id = $1::uuid AND state = 'pending'");

enum err webhook_outcome(struct db *db, const struct webhook_due *d, const char *state,
                         int64_t status, const char *problem)
{
    return db_run(db, &webhook_outcome_sql, NULL,
                  PARAMS(P_TEXT(d->delivery), P_TEXT(state), P_INT(status), P_TEXT(problem)));
}
