/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/sign_in/login_session.h"

#include "auth/access/snapshot.h"
#include "auth/session.h"
#include "auth/sign_in/page.h"

#include <stdio.h>
#include <string.h>

enum { AGENT_MAX = 200 };

const struct field login_session_fields[] = {
    TEXT(struct login_session, id, 36),         TEXT(struct login_session, kind, 10),
    OPT_TEXT(struct login_session, client, 63), TEXT(struct login_session, amr, 60),
    TEXT(struct login_session, remote, 60),     TEXT(struct login_session, agent, AGENT_MAX),
    TIME(struct login_session, created_at),     TIME(struct login_session, expires_at),
    BOOL(struct login_session, current),        FIELDS_END,
};

static const struct field columns[] = {
    TEXT(struct login_session, id, 36),
    TEXT(struct login_session, principal_id, 36),
    TEXT(struct login_session, kind, 10),
    OPT_TEXT(struct login_session, parent_id, 36),
    OPT_TEXT(struct login_session, client_id, 36),
    OPT_TEXT(struct login_session, client, 63),
    TEXT(struct login_session, scope, 1000),
    OPT_TEXT(struct login_session, hash, 64),
    TEXT(struct login_session, amr, 60),
    INT(struct login_session, auth_ms, 0, INT64_MAX),
    INT(struct login_session, mfa_ms, 0, INT64_MAX),
    TEXT(struct login_session, remote, 60),
    TEXT(struct login_session, agent, AGENT_MAX),
    TIME(struct login_session, created_at),
    TIME(struct login_session, expires_at),
    INT(struct login_session, expires_ms, 0, INT64_MAX),
    FIELDS_END,
};

#define MS(column) "coalesce((extract(epoch FROM " column ") * 1000)::bigint, 0)"
#define SESSION_SELECT                                                                             \
    "SELECT s.id, s.principal_id, s.kind, s.parent_id, s.client_id, c.name AS client, s.scope,"    \
    " s.hash, s.amr, " MS("s.auth_at") " AS auth_ms, " MS(                                         \
        "s.mfa_at") " AS mfa_ms,"                                                                  \
                    " s.remote, s.agent, s.created_at, s.expires_at, " MS(                         \
                        "s.expires_at") " AS expires_ms"                                           \
                                        " FROM login_session s LEFT JOIN oauth_client c"           \
                                        " ON c.tenant_id = s.tenant_id AND c.id = s.client_id"     \
                                        " WHERE s.tenant_id = current_tenant()"                    \
                                        " AND s.ended_at IS NULL AND s.expires_at > now()"

QUERY(login_session_insert_sql,
      "INSERT INTO login_session (tenant_id, id, principal_id, kind, parent_id, client_id, scope,"
      " hash, amr, auth_at, mfa_at, remote, agent, expires_at) VALUES (current_tenant(), $1::uuid,"
      " $2::uuid, $3, $4::uuid, $5::uuid, $6, $7, $8,"
      " to_timestamp($9::bigint / 1000.0),"
      " CASE WHEN $10::bigint > 0 THEN to_timestamp($10::bigint / 1000.0) END,"
      " $11, $12, now() + make_interval(secs => $13::bigint))");
QUERY(login_session_sweep_sql, "DELETE FROM login_session WHERE tenant_id = current_tenant()"
                               " AND principal_id = $1::uuid AND expires_at < now()");

enum err login_session_insert(struct db *db, const struct login_session *s,
                              const struct digest *cookie, int64_t seconds)
{
    TRY(db_run(db, &login_session_sweep_sql, NULL, PARAMS(P_TEXT(s->principal_id))));
    return db_change(db, &login_session_insert_sql,
                     PARAMS(P_TEXT(s->id), P_TEXT(s->principal_id), P_TEXT(s->kind),
                            P_TEXT(s->parent_id), P_TEXT(s->client_id),
                            P_TEXT(s->scope == NULL ? "" : s->scope),
                            P_BYTES(cookie == NULL ? NULL : cookie->bytes, SHA256_SIZE),
                            P_TEXT(s->amr), P_INT(s->auth_ms), P_INT(s->mfa_ms), P_TEXT(s->remote),
                            P_TEXT(s->agent), P_INT(seconds)));
}

QUERY(login_session_find_sql, SESSION_SELECT " AND s.id = $1::uuid");

enum err login_session_find(struct db *db, const char *id, struct login_session *out)
{
    return db_one(db, &login_session_find_sql, columns, out, PARAMS(P_TEXT(id)));
}

QUERY(login_session_list_sql, SESSION_SELECT " AND s.principal_id = $1::uuid"
                                             " AND ($2::uuid IS NULL OR s.id < $2::uuid)"
                                             " ORDER BY s.id DESC LIMIT $3::bigint");

enum err login_session_list(struct db *db, const char *principal_id, const char *before,
                            int64_t limit, struct rows *out)
{
    return db_list(db, &login_session_list_sql, columns, sizeof(struct login_session), out,
                   PARAMS(P_TEXT(principal_id), P_TEXT(before), P_INT(limit)));
}

QUERY(login_session_end_sql,
      "UPDATE login_session SET ended_at = now(), ended_why = $2 WHERE tenant_id = current_tenant()"
      " AND (id = $1::uuid OR parent_id = $1::uuid) AND ended_at IS NULL");

enum err login_session_end(struct db *db, const char *id, const char *why)
{
    return db_run(db, &login_session_end_sql, NULL, PARAMS(P_TEXT(id), P_TEXT(why)));
}

QUERY(login_session_end_all_sql,
      "UPDATE login_session s SET ended_at = now(), ended_why = $3"
      " WHERE tenant_id = current_tenant() AND principal_id = $1::uuid AND ended_at IS NULL"
      " AND ($2::uuid IS NULL OR id <> $2::uuid AND id NOT IN (SELECT p.parent_id FROM"
      " login_session p WHERE p.tenant_id = s.tenant_id AND p.id = $2::uuid"
      " AND p.parent_id IS NOT NULL))");

enum err login_session_end_all(struct db *db, const char *principal_id, const char *except,
                               const char *why)
{
    return db_run(db, &login_session_end_all_sql, NULL,
                  PARAMS(P_TEXT(principal_id),
                         P_TEXT(except == NULL || *except == 0 ? NULL : except), P_TEXT(why)));
}

QUERY(login_session_from_sql, "UPDATE login_session SET provider_id = $2::uuid, provider_sid = $3"
                              " WHERE tenant_id = current_tenant() AND id = $1::uuid");

enum err login_session_from(struct db *db, const char *id, const char *provider_id, const char *sid)
{
    return db_change(db, &login_session_from_sql,
                     PARAMS(P_TEXT(id), P_TEXT(provider_id), P_TEXT(sid)));
}

QUERY(login_session_end_from_sql,
      "WITH ending AS (SELECT id FROM login_session WHERE tenant_id = current_tenant()"
      " AND provider_id = $1::uuid AND ($2::text IS NULL OR provider_sid = $2)"
      " AND ($3::uuid IS NULL OR principal_id = $3::uuid))"
      " UPDATE login_session s SET ended_at = now(), ended_why = 'ended by the identity provider'"
      " FROM ending e WHERE s.tenant_id = current_tenant() AND s.ended_at IS NULL"
      " AND (s.id = e.id OR s.parent_id = e.id)");

enum err login_session_end_from(struct db *db, const char *provider_id, const char *sid,
                                const char *principal_id, int64_t *ended)
{
    return db_run(db, &login_session_end_from_sql, ended,
                  PARAMS(P_TEXT(provider_id), P_TEXT(sid), P_TEXT(principal_id)));
}

QUERY(login_session_factor_sql,
      "UPDATE login_session SET mfa_at = now(), amr = $2 WHERE tenant_id = current_tenant()"
      " AND id = $1::uuid AND ended_at IS NULL");

enum err login_session_factor(struct db *db, const char *id, const char *amr)
{
    return db_change(db, &login_session_factor_sql, PARAMS(P_TEXT(id), P_TEXT(amr)));
}

struct looking {
    struct db *db;
    const char *id;
    struct login_session *out;
};

static enum err look(void *arg)
{
    struct looking *l = arg;

    return login_session_find(l->db, l->id, l->out);
}

enum err login_session_alive(struct db *db, const char *tenant_id, const char *id,
                             const char *principal_id)
{
    struct login_session s;
    struct looking l = {.db = db, .id = id, .out = &s};

    TRY(db_tx(db, TX_POINT, tenant_id, look, &l));
    return strcmp(s.principal_id, principal_id) == 0 ? OK : ERR_NOT_FOUND;
}

static const char *agent_of(struct request *rq)
{
    const char *agent = request_header(rq, "user-agent");

    if (agent == NULL || !utf8_valid(agent, strlen(agent)))
        return "";
    return strlen(agent) <= AGENT_MAX ? agent : "a very long User-Agent";
}

enum err login_session_begin(struct request *rq, const struct sign_in *who, const char *kind,
                             struct opaque *handle)
{
    bool browser = strcmp(kind, "browser") == 0;
    const struct login_session s = {.id = handle->id,
                                    .principal_id = who->id,
                                    .kind = kind,
                                    .amr = who->amr,
                                    .auth_ms = who->auth_ms,
                                    .mfa_ms = who->mfa_ms,
                                    .remote = rq->remote,
                                    .agent = agent_of(rq)};

    return login_session_insert(rq->db, &s, browser ? &handle->hash : NULL, BROWSER_S);
}

enum err login_session_enter(struct request *rq, const char *tenant_id, const char *principal_id,
                             const char *session)
{
    struct claims claims = {.kind = TOKEN_NONE};
    struct policy *policy;
    uint32_t who;
    enum err e = snapshot_renew(rq->db, tenant_id, &policy);

    if (e != OK)
        return e == ERR_NOT_FOUND ? ERR_TOKEN : e;
    who = policy_find_principal(policy, principal_id);
    if (!policy_alive(policy, who) ||
        (session != NULL &&
         access_jwt_id_ms(session) < policy_principal(policy, who)->tokens_since_ms)) {
        policy_drop(policy);
        return ERR_TOKEN;
    }
    (void)snprintf(claims.tenant_id, ID_SIZE, "%s", tenant_id);
    (void)snprintf(claims.principal, ID_SIZE, "%s", principal_id);
    (void)session_begin(rq, &claims, policy, who);
    return OK;
}

enum err login_session_of_browser(struct request *rq, struct login_session *out)
{
    const char *cookie = page_cookie(rq, COOKIE_NAME);
    struct opaque handle;
    struct digest kept;
    struct looking l = {.db = rq->db, .id = handle.id, .out = out};
    enum err e;

    if (cookie == NULL || !opaque_parse(COOKIE_PREFIX, cookie, &handle))
        return ERR_NOT_FOUND;
    TRY(db_tx(rq->db, TX_POINT, arena_text(rq->arena, handle.tenant_id), look, &l));
    if (out->hash == NULL || !hex_decode(out->hash, kept.bytes, SHA256_SIZE) ||
        !digest_equal(&kept, &handle.hash))
        return ERR_NOT_FOUND;
    e = login_session_enter(rq, handle.tenant_id, out->principal_id, out->id);
    return e == ERR_TOKEN ? ERR_NOT_FOUND : e;
}

void login_session_set_cookie(struct request *rq, const char *value)
{
    request_set_header(
        rq, "Set-Cookie",
        arena_printf(rq->arena, COOKIE_NAME "=%s; Path=/; Secure; HttpOnly; SameSite=Lax%s",
                     value == NULL ? "" : value, value == NULL ? "; Max-Age=0" : ""));
}
