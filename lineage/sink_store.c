/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/sink.h"

#define SINK_SHOWN                                                                                 \
    NAME(struct sink, name), TEXT(struct sink, kind, 16), TEXT(struct sink, target, 500),          \
        INT(struct sink, keep, 1, 1000), INT(struct sink, file_bytes, 1, INT64_MAX),               \
        INT(struct sink, next, 0, INT64_MAX), INT(struct sink, failures, 0, INT64_MAX),            \
        OPT_TEXT(struct sink, problem, WIRE_WHY), OPT_TIME(struct sink, delivered_at)

const struct field sink_view_fields[] = {SINK_SHOWN, FIELDS_END};
static const struct field sink_fields[] = {SINK_SHOWN, OPT_TEXT(struct sink, sealed, 256),
                                           OPT_TEXT(struct sink, ca, SINK_CA_MAX), FIELDS_END};

#define SINK_COLUMNS                                                                               \
    "name, kind, target, sealed, ca, keep, file_bytes, next, failures, problem, delivered_at"

QUERY(sink_list_sql, "SELECT " SINK_COLUMNS " FROM audit_sink WHERE tenant_id = $1::uuid"
                     " AND ($2::text IS NULL OR name = $2) ORDER BY name");

enum err sink_list(struct db *db, const char *name, struct rows *out)
{
    return db_list(db, &sink_list_sql, sink_fields, sizeof(struct sink), out,
                   PARAMS(P_TEXT(db->tenant), P_TEXT(name)));
}

/* A sink that is there goes on where it was. */
QUERY(sink_put_sql,
      "INSERT INTO audit_sink (tenant_id, name, kind, target, sealed, ca, keep, file_bytes, next)"
      " VALUES ($1::uuid, $2, $3, $4, $5, $6, $7, $8,"
      "  least($9::bigint, coalesce((SELECT size FROM audit_log WHERE tenant_id = $1::uuid), 0)))"
      " ON CONFLICT (tenant_id, name) DO UPDATE SET kind = EXCLUDED.kind,"
      "  target = EXCLUDED.target, sealed = EXCLUDED.sealed, ca = EXCLUDED.ca,"
      "  keep = EXCLUDED.keep, file_bytes = EXCLUDED.file_bytes, failures = 0, problem = NULL,"
      "  retry_at = now()");

enum err sink_put(struct db *db, const struct sink *s, const uint8_t *sealed, size_t sealed_length)
{
    return db_change(db, &sink_put_sql,
                     PARAMS(P_TEXT(db->tenant), P_TEXT(s->name), P_TEXT(s->kind), P_TEXT(s->target),
                            P_BYTES(sealed, sealed_length), P_TEXT(s->ca), P_INT(s->keep),
                            P_INT(s->file_bytes), P_INT(s->next)));
}

QUERY(sink_delete_sql, "DELETE FROM audit_sink WHERE tenant_id = $1::uuid AND name = $2");

enum err sink_delete(struct db *db, const char *name)
{
    return db_change(db, &sink_delete_sql, PARAMS(P_TEXT(db->tenant), P_TEXT(name)));
}

QUERY(sink_claim_sql,
      "UPDATE audit_sink s SET retry_at = now() + interval '1 minute' FROM audit_log l"
      " WHERE s.tenant_id = $1::uuid AND l.tenant_id = s.tenant_id AND s.next < l.signed_size"
      "   AND s.retry_at <= now() RETURNING s.name, s.kind, s.target, s.sealed, s.ca, s.keep,"
      " s.file_bytes, s.next, s.failures, s.problem, s.delivered_at");

enum err sink_claim(struct db *db, struct rows *out)
{
    return db_list(db, &sink_claim_sql, sink_fields, sizeof(struct sink), out,
                   PARAMS(P_TEXT(db->tenant)));
}

QUERY(sink_advance_sql, "UPDATE audit_sink SET next = $4, failures = 0, problem = NULL,"
                        " retry_at = now(), delivered_at = now()"
                        " WHERE tenant_id = $1::uuid AND name = $2 AND next = $3");

enum err sink_advance(struct db *db, const struct sink *s, int64_t next)
{
    return db_change(db, &sink_advance_sql,
                     PARAMS(P_TEXT(db->tenant), P_TEXT(s->name), P_INT(s->next), P_INT(next)));
}

/* 1, 2, 4, … seconds, at most five minutes. */
QUERY(sink_postpone_sql,
      "UPDATE audit_sink SET failures = failures + 1, problem = $3,"
      " retry_at = now() + make_interval(secs => least(300, 2 ^ least(failures, 9)))"
      " WHERE tenant_id = $1::uuid AND name = $2");

enum err sink_postpone(struct db *db, const struct sink *s, const char *problem)
{
    return db_change(db, &sink_postpone_sql,
                     PARAMS(P_TEXT(db->tenant), P_TEXT(s->name), P_TEXT(problem)));
}

const char *sink_seal_place(struct db *db, const char *name)
{
    return arena_printf(db->arena, "audit-sink:%s:%s", db->tenant, name);
}
