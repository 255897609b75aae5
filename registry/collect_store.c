/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/collect_store.h"

static const struct field word_fields[] = {
    TEXT(struct word, text, 64),
    FIELDS_END,
};

static enum err words(struct db *db, const struct query *q, struct rows *out,
                      const struct param *params, size_t count)
{
    return db_list(db, q, word_fields, sizeof(struct word), out, params, count);
}

QUERY(collect_tenants_sql, "SELECT id AS text FROM tenant_all()");

enum err collect_tenants(struct db *db, struct rows *out)
{
    return words(db, &collect_tenants_sql, out, NO_PARAMS);
}

#define UNUSED                                                                                     \
    " b.tenant_id = current_tenant() AND b.touched_at <= now() - make_interval(secs => $2::int)"   \
    " AND NOT EXISTS (SELECT FROM version_file f"                                                  \
    " WHERE f.tenant_id = b.tenant_id AND f.sha256 = b.sha256)"                                    \
    " AND NOT EXISTS (SELECT FROM multipart_part f"                                                \
    " WHERE f.tenant_id = b.tenant_id AND f.sha256 = b.sha256)"                                    \
    " AND NOT EXISTS (SELECT FROM artifact f"                                                      \
    " WHERE f.tenant_id = b.tenant_id AND f.sha256 = b.sha256)"

QUERY(collect_candidates_sql,
      "SELECT encode(b.sha256, 'hex') AS text FROM blob b WHERE b.sha256 > decode($1, 'hex')"
      " AND" UNUSED " ORDER BY b.sha256 LIMIT $3::bigint");

enum err collect_candidates(struct db *db, int64_t grace_seconds, const char *after, int64_t limit,
                            struct rows *out)
{
    return words(db, &collect_candidates_sql, out,
                 PARAMS(P_TEXT(after), P_INT(grace_seconds), P_INT(limit)));
}

/* A concurrent upload of the same content has the row locked, and touched it, before it commits:
 * this waits for it and then finds the row touched (or, with no grace, referred to, which the
 * foreign key of version_file refuses). */
QUERY(collect_forget_sql, "DELETE FROM blob b WHERE b.sha256 = decode($1, 'hex') AND" UNUSED);

enum err collect_forget(struct db *db, const char *sha256, int64_t grace_seconds, bool *gone)
{
    int64_t rows = 0;
    enum err e =
        db_run(db, &collect_forget_sql, &rows, PARAMS(P_TEXT(sha256), P_INT(grace_seconds)));

    *gone = e == OK && rows == 1;
    return e == ERR_CONFLICT ? OK : e;
}

QUERY(collect_unknown_blobs_sql,
      "SELECT x.text FROM unnest($1::text[]) AS x (text) WHERE NOT EXISTS (SELECT FROM blob b"
      " WHERE b.tenant_id = current_tenant() AND b.sha256 = decode(x.text, 'hex'))");

enum err collect_unknown_blobs(struct db *db, const struct texts *digests, struct rows *out)
{
    return words(db, &collect_unknown_blobs_sql, out,
                 PARAMS(P_TEXTS(digests->items, digests->count)));
}

QUERY(collect_unknown_uploads_sql,
      "SELECT x.text FROM unnest($1::text[]) AS x (text) WHERE NOT EXISTS (SELECT FROM upload u"
      " WHERE u.tenant_id = current_tenant() AND u.id = x.text::uuid) AND NOT EXISTS (SELECT"
      " FROM multipart m WHERE m.tenant_id = current_tenant() AND m.id = x.text::uuid)");

enum err collect_unknown_uploads(struct db *db, const struct texts *ids, struct rows *out)
{
    return words(db, &collect_unknown_uploads_sql, out, PARAMS(P_TEXTS(ids->items, ids->count)));
}

QUERY(collect_stale_uploads_sql,
      "WITH u AS (DELETE FROM upload WHERE tenant_id = current_tenant() AND expires_at <= now()"
      " RETURNING id), m AS (DELETE FROM multipart WHERE tenant_id = current_tenant()"
      " AND expires_at <= now() RETURNING id)"
      " SELECT id::text AS text FROM u UNION ALL SELECT id::text FROM m");

enum err collect_stale_uploads(struct db *db, struct rows *out)
{
    return words(db, &collect_stale_uploads_sql, out, NO_PARAMS);
}
