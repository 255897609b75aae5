/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/endpoint.h"

#include "auth/auth.h"

const struct field endpoint_fields[] = {
    TEXT(struct endpoint, id, 36),
    TEXT(struct endpoint, project, 63),
    TEXT(struct endpoint, name, 63),
    TEXT(struct endpoint, description, 2000),
    OPT_TEXT(struct endpoint, deployment, 36),
    OPT_TEXT(struct endpoint, version, 200),
    TEXT(struct endpoint, state, 20),
    INT(struct endpoint, revision, 1, INT64_MAX),
    TEXT(struct endpoint, created_by, 63),
    TIME(struct endpoint, created_at),
    FIELDS_END,
};

const struct field deployment_fields[] = {
    TEXT(struct deployment, id, 36),          TEXT(struct deployment, endpoint, 63),
    TEXT(struct deployment, version, 200),    TEXT(struct deployment, approval, 36),
    TEXT(struct deployment, digest, 64),      TEXT(struct deployment, state, 20),
    TEXT(struct deployment, deployed_by, 63), TIME(struct deployment, deployed_at),
    OPT_TIME(struct deployment, ended_at),    FIELDS_END,
};

/* Whether the approval a deployment rests on is in force. */
#define IN_FORCE                                                                                   \
    "EXISTS (SELECT FROM approval f WHERE f.tenant_id = d.tenant_id AND f.id = d.approval_id"      \
    " AND f.state = 'approved' AND f.expires_at > now() AND f.subject_digest = d.digest)"

#define ENDPOINT_SELECT                                                                            \
    "SELECT e.id, p.name AS project, e.name, e.description, d.id AS deployment,"                   \
    "       CASE WHEN d.id IS NOT NULL THEN format('models/%s/versions/%s', a.name, v.number) END" \
    "       AS version, CASE WHEN d.id IS NULL THEN 'empty' WHEN " IN_FORCE " THEN 'serving'"      \
    "       ELSE 'revoked' END AS state, e.revision, c.name AS created_by, e.created_at"           \
    "  FROM endpoint e JOIN project p ON p.tenant_id = e.tenant_id AND p.id = e.project_id"        \
    "  JOIN principal c ON c.tenant_id = e.tenant_id AND c.id = e.created_by"                      \
    "  LEFT JOIN deployment d ON d.tenant_id = e.tenant_id AND d.endpoint_id = e.id"               \
    "   AND d.ended_at IS NULL"                                                                    \
    "  LEFT JOIN version v ON v.tenant_id = d.tenant_id AND v.id = d.version_id"                   \
    "  LEFT JOIN asset a ON a.tenant_id = v.tenant_id AND a.id = v.asset_id"                       \
    " WHERE e.tenant_id = current_tenant() AND e.project_id = $1::uuid AND e.state = 'active'"

QUERY(endpoint_find_sql, ENDPOINT_SELECT " AND e.name = $2");

enum err endpoint_find(struct db *db, const char *project_id, const char *name,
                       struct endpoint *out)
{
    return db_one(db, &endpoint_find_sql, endpoint_fields, out,
                  PARAMS(P_TEXT(project_id), P_TEXT(name)));
}

QUERY(endpoint_lock_sql, ENDPOINT_SELECT " AND e.name = $2 FOR UPDATE OF e");

enum err endpoint_lock(struct db *db, const char *project_id, const char *name,
                       struct endpoint *out)
{
    return db_one(db, &endpoint_lock_sql, endpoint_fields, out,
                  PARAMS(P_TEXT(project_id), P_TEXT(name)));
}

QUERY(endpoint_list_sql, ENDPOINT_SELECT
      " AND e.name > coalesce($2, '')" READABLE("e.name", "4", "5",
                                                "6") " ORDER BY e.name LIMIT $3::bigint");

enum err endpoint_list(struct db *db, const char *project_id, const struct readable *readable,
                       const char *after, int64_t limit, struct rows *out)
{
    return db_list(
        db, &endpoint_list_sql, endpoint_fields, sizeof(struct endpoint), out,
        PARAMS(P_TEXT(project_id), P_TEXT(after), P_INT(limit), READABLE_PARAMS(readable)));
}

QUERY(endpoint_create_sql,
      "INSERT INTO endpoint (tenant_id, id, project_id, name, description, created_by)"
      " VALUES (current_tenant(), $1::uuid, $2::uuid, $3, $4, $5::uuid)"
      " ON CONFLICT ON CONSTRAINT endpoint_by_name DO UPDATE"
      " SET state = 'active', description = excluded.description, revision = endpoint.revision + 1"
      " WHERE endpoint.state = 'deleted'");

enum err endpoint_create(struct db *db, const char *id, const char *project_id, const char *name,
                         const char *description, const char *by)
{
    return db_change(
        db, &endpoint_create_sql,
        PARAMS(P_TEXT(id), P_TEXT(project_id), P_TEXT(name), P_TEXT(description), P_TEXT(by)));
}

QUERY(endpoint_describe_sql, "UPDATE endpoint SET description = $2, revision = revision + 1"
                             " WHERE tenant_id = current_tenant() AND id = $1::uuid");

enum err endpoint_describe(struct db *db, const char *id, const char *description)
{
    return db_change(db, &endpoint_describe_sql, PARAMS(P_TEXT(id), P_TEXT(description)));
}

QUERY(endpoint_delete_sql, "UPDATE endpoint SET state = 'deleted', revision = revision + 1"
                           " WHERE tenant_id = current_tenant() AND id = $1::uuid");

enum err endpoint_delete(struct db *db, const char *id)
{
    return db_defer(db, &endpoint_delete_sql, PARAMS(P_TEXT(id)));
}

QUERY(deployment_end_sql,
      "UPDATE deployment SET ended_at = now()"
      " WHERE tenant_id = current_tenant() AND endpoint_id = $1::uuid AND ended_at IS NULL");

enum err deployment_end(struct db *db, const char *endpoint_id)
{
    return db_defer_any(db, &deployment_end_sql, PARAMS(P_TEXT(endpoint_id)));
}

QUERY(deployment_insert_sql,
      "INSERT INTO deployment (tenant_id, id, endpoint_id, version_id, approval_id, digest,"
      " deployed_by)"
      " SELECT current_tenant(), $1::uuid, $2::uuid, v.id, $4::uuid, v.digest, $5::uuid"
      "   FROM version v WHERE v.tenant_id = current_tenant() AND v.id = $3::uuid");

enum err deployment_insert(struct db *db, const char *id, const char *endpoint_id,
                           const char *version_id, const char *approval_id, const char *by)
{
    return db_change(db, &deployment_insert_sql,
                     PARAMS(P_TEXT(id), P_TEXT(endpoint_id), P_TEXT(version_id),
                            P_TEXT(approval_id), P_TEXT(by)));
}

#define DEPLOYMENT_SELECT                                                                          \
    "SELECT d.id, e.name AS endpoint, format('models/%s/versions/%s', a.name, v.number) AS "       \
    "version,"                                                                                     \
    "       d.approval_id AS approval, d.digest, CASE WHEN NOT " IN_FORCE " THEN 'revoked'"        \
    "       WHEN d.ended_at IS NULL THEN 'serving' ELSE 'ended' END AS state,"                     \
    "       b.name AS deployed_by, d.deployed_at, d.ended_at"                                      \
    "  FROM deployment d JOIN endpoint e ON e.tenant_id = d.tenant_id AND e.id = d.endpoint_id"    \
    "  JOIN version v ON v.tenant_id = d.tenant_id AND v.id = d.version_id"                        \
    "  JOIN asset a ON a.tenant_id = v.tenant_id AND a.id = v.asset_id"                            \
    "  JOIN principal b ON b.tenant_id = d.tenant_id AND b.id = d.deployed_by"                     \
    " WHERE d.tenant_id = current_tenant()"

QUERY(deployment_find_sql, DEPLOYMENT_SELECT " AND d.id = $1::uuid");

enum err deployment_find(struct db *db, const char *id, struct deployment *out)
{
    return db_one(db, &deployment_find_sql, deployment_fields, out, PARAMS(P_TEXT(id)));
}

QUERY(deployment_list_sql, DEPLOYMENT_SELECT " AND d.endpoint_id = $1::uuid AND d.id <"
                                             " coalesce($2::uuid,"
                                             " 'ffffffff-ffff-ffff-ffff-ffffffffffff')"
                                             " ORDER BY d.id DESC LIMIT $3::bigint");

enum err deployment_list(struct db *db, const char *endpoint_id, const char *before, int64_t limit,
                         struct rows *out)
{
    return db_list(db, &deployment_list_sql, deployment_fields, sizeof(struct deployment), out,
                   PARAMS(P_TEXT(endpoint_id), P_TEXT(before), P_INT(limit)));
}

struct found {
    const char *id;
};

static const struct field found_fields[] = {TEXT(struct found, id, 36), FIELDS_END};

QUERY(approval_in_force_sql,
      "SELECT f.id FROM approval f JOIN version v ON v.tenant_id = f.tenant_id"
      "   AND v.id = f.version_id"
      " WHERE f.tenant_id = current_tenant() AND f.version_id = $1::uuid AND f.action = 'promote'"
      "   AND f.state = 'approved' AND f.expires_at > now() AND f.subject_digest = v.digest"
      "   AND v.state = 'ready'"
      " ORDER BY f.expires_at DESC LIMIT 1");

enum err approval_in_force(struct db *db, const char *version_id, const char **id)
{
    struct found found;
    enum err e =
        db_one(db, &approval_in_force_sql, found_fields, &found, PARAMS(P_TEXT(version_id)));

    *id = e == OK ? found.id : NULL;
    return e == ERR_NOT_FOUND ? ERR_UNAPPROVED : e;
}

static const struct field target_fields[] = {
    OPT_TEXT(struct target, deployment_id, 36),
    OPT_TEXT(struct target, model, 63),
    OPT_TEXT(struct target, version, 200),
    OPT_TEXT(struct target, sha256, 64),
    OPT_TEXT(struct target, digest, 64),
    BOOL(struct target, in_force),
    BOOL(struct target, ended),
    FIELDS_END,
};

QUERY(endpoint_target_sql,
      "SELECT d.id AS deployment_id, a.name AS model, d.digest, t.sha256,"
      "       format('models/%s/versions/%s', a.name, v.number) AS version,"
      "       coalesce(v.state = 'ready' AND v.digest = d.digest AND " IN_FORCE
      ", false) AS in_force,"
      "       d.ended_at IS NOT NULL AS ended"
      "  FROM endpoint e"
      "  LEFT JOIN deployment d ON d.tenant_id = e.tenant_id AND d.id ="
      "       (SELECT n.id FROM deployment n WHERE n.tenant_id = e.tenant_id"
      "           AND n.endpoint_id = e.id ORDER BY n.deployed_at DESC, n.id DESC LIMIT 1)"
      "  LEFT JOIN version v ON v.tenant_id = d.tenant_id AND v.id = d.version_id"
      "  LEFT JOIN asset a ON a.tenant_id = v.tenant_id AND a.id = v.asset_id"
      "  LEFT JOIN version_file t ON t.tenant_id = v.tenant_id AND t.version_id = v.id"
      "   AND t.path = 'model.onnx'"
      " WHERE e.tenant_id = current_tenant() AND e.project_id = $1::uuid AND e.name = $2"
      "   AND e.state = 'active'");

enum err endpoint_target(struct request *rq, const char *project_id, const char *name,
                         struct target *out)
{
    enum err e = db_one(rq->db, &endpoint_target_sql, target_fields, out,
                        PARAMS(P_TEXT(project_id), P_TEXT(name)));

    if (e != OK)
        return e;
    if (out->deployment_id == NULL)
        return fail(rq, ERR_UNAVAILABLE, "nothing is deployed to %s", name);
    if (!out->in_force)
        return fail(rq, ERR_UNAPPROVED, "the approval of %s is no longer in force", out->version);
    if (out->ended)
        return fail(rq, ERR_UNAVAILABLE, "nothing is deployed to %s", name);
    if (out->sha256 == NULL)
        return fail(rq, ERR_UNAVAILABLE, "%s has no file model.onnx", out->version);
    return OK;
}
