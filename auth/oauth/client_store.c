/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/oauth/client.h"

#include "auth/sign_in/sign_in.h"

#include <string.h>

const struct field oauth_client_fields[] = {
    TEXT(struct oauth_client, client_id, 130),     NAME(struct oauth_client, name),
    TEXT(struct oauth_client, display_name, 200),  TEXT(struct oauth_client, kind, 12),
    TEXTS(struct oauth_client, redirect_uris, 20), TEXTS(struct oauth_client, logout_uris, 20),
    TEXTS(struct oauth_client, grants, 5),         OPT_NAME(struct oauth_client, service_account),
    OPT_OBJECT(struct oauth_client, jwks),         BOOL(struct oauth_client, third_party),
    TIME(struct oauth_client, created_at),         FIELDS_END,
};

static const struct field columns[] = {
    TEXT(struct oauth_client, tenant_id, 36),
    TEXT(struct oauth_client, tenant, 63),
    TEXT(struct oauth_client, id, 36),
    TEXT(struct oauth_client, client_id, 130),
    NAME(struct oauth_client, name),
    TEXT(struct oauth_client, display_name, 200),
    TEXT(struct oauth_client, kind, 12),
    TEXTS(struct oauth_client, redirect_uris, 20),
    TEXTS(struct oauth_client, logout_uris, 20),
    TEXTS(struct oauth_client, grants, 5),
    OPT_NAME(struct oauth_client, service_account),
    OPT_TEXT(struct oauth_client, account_id, 36),
    OPT_OBJECT(struct oauth_client, jwks),
    BOOL(struct oauth_client, third_party),
    TIME(struct oauth_client, created_at),
    FIELDS_END,
};

#define CLIENT_SELECT                                                                              \
    "SELECT c.tenant_id, t.name AS tenant, c.id, t.name || '/' || c.name AS client_id, c.name,"    \
    " c.display_name, c.kind, c.redirect_uris, c.logout_uris, c.grants,"                           \
    " p.name AS service_account, c.account_id, c.jwks, c.third_party, c.created_at"                \
    " FROM oauth_client c JOIN tenant t ON t.tenant_id = c.tenant_id"                              \
    " LEFT JOIN principal p ON p.tenant_id = c.tenant_id AND p.id = c.account_id"                  \
    " WHERE c.tenant_id = current_tenant()"

QUERY(oauth_client_find_sql, CLIENT_SELECT " AND c.name = $1");

enum err oauth_client_find(struct db *db, const char *name, struct oauth_client *out)
{
    return db_one(db, &oauth_client_find_sql, columns, out, PARAMS(P_TEXT(name)));
}

QUERY(oauth_client_by_id_sql, CLIENT_SELECT " AND c.id = $1::uuid");

enum err oauth_client_by_id(struct db *db, const char *id, struct oauth_client *out)
{
    return db_one(db, &oauth_client_by_id_sql, columns, out, PARAMS(P_TEXT(id)));
}

QUERY(oauth_client_list_sql, CLIENT_SELECT " AND ($1::text IS NULL OR c.name > $1)"
                                           " ORDER BY c.name LIMIT $2::bigint");

enum err oauth_client_list(struct db *db, const char *after, int64_t limit, struct rows *out)
{
    return db_list(db, &oauth_client_list_sql, columns, sizeof(struct oauth_client), out,
                   PARAMS(P_TEXT(after), P_INT(limit)));
}

QUERY(oauth_client_insert_sql,
      "INSERT INTO oauth_client (tenant_id, id, name, display_name, kind, redirect_uris,"
      " logout_uris, grants, account_id, jwks, third_party, created_by) VALUES (current_tenant(),"
      " $1::uuid, $2, $3, $4, $5::text[], $6::text[], $7::text[], $8::uuid, $9::jsonb,"
      " $10::boolean, $11::uuid)");

enum err oauth_client_insert(struct db *db, const struct oauth_client *c, const char *by)
{
    return db_change(db, &oauth_client_insert_sql,
                     PARAMS(P_TEXT(c->id), P_TEXT(c->name), P_TEXT(c->display_name),
                            P_TEXT(c->kind),
                            P_TEXTS(c->redirect_uris.items, c->redirect_uris.count),
                            P_TEXTS(c->logout_uris.items, c->logout_uris.count),
                            P_TEXTS(c->grants.items, c->grants.count), P_TEXT(c->account_id),
                            P_JSON(c->jwks), P_BOOL(c->third_party), P_TEXT(by)));
}

/* Their sessions end first, which moves the epoch: deleting would not. */
QUERY(oauth_client_end_sql,
      "UPDATE login_session SET ended_at = now(), ended_why = 'the client is gone'"
      " WHERE tenant_id = current_tenant() AND ended_at IS NULL AND client_id ="
      " (SELECT id FROM oauth_client WHERE tenant_id = current_tenant() AND name = $1)");
QUERY(oauth_client_delete_sql,
      "DELETE FROM oauth_client WHERE tenant_id = current_tenant() AND name = $1");

enum err oauth_client_delete(struct db *db, const char *name)
{
    TRY(db_run(db, &oauth_client_end_sql, NULL, PARAMS(P_TEXT(name))));
    return db_change(db, &oauth_client_delete_sql, PARAMS(P_TEXT(name)));
}

struct opening {
    struct db *db;
    const char *name;
    struct oauth_client *out;
};

static enum err find(void *arg)
{
    struct opening *o = arg;

    return oauth_client_find(o->db, o->name, o->out);
}

enum err oauth_client_open(struct db *db, const char *client_id, struct oauth_client *out)
{
    const char *slash = strchr(client_id, '/');
    struct sign_in tenant = {.id = NULL};
    struct opening o = {.db = db, .name = slash == NULL ? "" : slash + 1, .out = out};

    *out = (struct oauth_client){.id = NULL};
    if (slash == NULL || !name_valid(o.name))
        return ERR_NOT_FOUND;
    TRY(sign_in_tenant(db, arena_copy(db->arena, client_id, (size_t)(slash - client_id)), &tenant));
    if (strcmp(tenant.tenant_state, "active") != 0)
        return ERR_NOT_FOUND;
    return db_tx(db, TX_POINT, tenant.tenant_id, find, &o);
}

bool oauth_client_may(const struct oauth_client *c, const char *grant)
{
    for (size_t i = 0; i < c->grants.count; i++)
        if (strcmp(c->grants.items[i], grant) == 0)
            return true;
    return false;
}
