/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/policy_load.h"

#include "auth/access/lattice.h"

#include <string.h>

QUERY(policy_principals_sql,
      "SELECT id, name, coalesce(owner_id::text, ''), kind, state,"
      " coalesce(" MS("tokens_since") ", 0)"
                                      " FROM principal WHERE tenant_id = current_tenant()");

static enum err load_principals(struct load *l)
{
    PGresult *rows;

    TRY(db_rows(l->db, &policy_principals_sql, &rows, NO_PARAMS));
    for (int i = 0; i < PQntuples(rows); i++) {
        struct policy_principal who = {
            .kind =
                strcmp(PQgetvalue(rows, i, 3), "user") == 0 ? PRINCIPAL_USER : PRINCIPAL_SERVICE,
            .active = strcmp(PQgetvalue(rows, i, 4), "active") == 0,
            .tokens_since_ms = policy_number(rows, i, 5),
        };

        policy_copy(who.id, sizeof(who.id), PQgetvalue(rows, i, 0));
        policy_copy(who.name, sizeof(who.name), PQgetvalue(rows, i, 1));
        policy_copy(who.owner, sizeof(who.owner), PQgetvalue(rows, i, 2));
        (void)policy_add_principal(l->policy, &who);
    }
    return OK;
}

QUERY(policy_projects_sql,
      "SELECT id, name, state FROM project WHERE tenant_id = current_tenant() ORDER BY name");

static enum err load_projects(struct load *l)
{
    PGresult *rows;

    TRY(db_rows(l->db, &policy_projects_sql, &rows, NO_PARAMS));
    for (int i = 0; i < PQntuples(rows); i++) {
        struct policy_project what = {.active = strcmp(PQgetvalue(rows, i, 2), "active") == 0};

        policy_copy(what.id, sizeof(what.id), PQgetvalue(rows, i, 0));
        policy_copy(what.name, sizeof(what.name), PQgetvalue(rows, i, 1));
        (void)policy_add_project(l->policy, &what);
    }
    return OK;
}

/* The assets with something of their own, and with tags where a condition asks for tags. */
QUERY(
    policy_assets_sql,
    "WITH x AS (SELECT project_id, asset FROM binding"
    "  WHERE tenant_id = current_tenant() AND asset IS NOT NULL"
    " UNION SELECT project_id, asset FROM deny"
    "  WHERE tenant_id = current_tenant() AND asset IS NOT NULL"
    " UNION SELECT project_id, asset FROM ceiling"
    "  WHERE tenant_id = current_tenant() AND asset IS NOT NULL"
    " UNION SELECT project_id, asset FROM eligible"
    "  WHERE tenant_id = current_tenant() AND asset IS NOT NULL"
    " UNION SELECT a.project_id, a.kind || 's/' || a.name FROM asset_label l"
    "  JOIN asset a ON a.tenant_id = l.tenant_id AND a.id = l.asset_id"
    "  WHERE l.tenant_id = current_tenant()"
    " UNION SELECT project_id, kind || 's/' || name FROM asset"
    "  WHERE tenant_id = current_tenant() AND tags <> '{}' AND EXISTS (SELECT FROM binding"
    "   WHERE tenant_id = current_tenant() AND condition LIKE '%tag.%')"
    " UNION SELECT a.project_id, a.kind || 's/' || a.name FROM asset_share s"
    "  JOIN asset a ON a.tenant_id = s.tenant_id AND a.id = s.asset_id"
    "  WHERE s.tenant_id = current_tenant() AND s.state = 'active')"
    " SELECT p.name, x.asset, coalesce(l.level, 0), coalesce(a.tags, '{}') FROM x"
    " JOIN project p ON p.tenant_id = current_tenant() AND p.id = x.project_id"
    " LEFT JOIN asset a ON a.tenant_id = p.tenant_id AND a.project_id = p.id"
    "  AND a.kind = left(split_part(x.asset, '/', 1), -1) AND a.name = split_part(x.asset, '/', 2)"
    " LEFT JOIN asset_label l ON l.tenant_id = a.tenant_id AND l.asset_id = a.id");

static enum err load_assets(struct load *l)
{
    PGresult *rows;

    TRY(db_rows(l->db, &policy_assets_sql, &rows, NO_PARAMS));
    for (int i = 0; i < PQntuples(rows); i++) {
        struct policy_asset what = {
            .project = policy_find_project(l->policy, PQgetvalue(rows, i, 0)),
            .level = (int)policy_number(rows, i, 2),
            .tags = json_loads(PQgetvalue(rows, i, 3), 0, NULL),
        };

        policy_copy(what.name, sizeof(what.name), PQgetvalue(rows, i, 1));
        (void)policy_add_asset(l->policy, &what);
    }
    policy_index_assets(l->policy);
    return OK;
}

QUERY(policy_shares_sql,
      "SELECT o.name, a.kind || 's/' || a.name, r.name, coalesce(s.version, 0), s.by_alias"
      " FROM asset_share s JOIN asset a ON a.tenant_id = s.tenant_id AND a.id = s.asset_id"
      " JOIN project o ON o.tenant_id = a.tenant_id AND o.id = a.project_id"
      " JOIN project r ON r.tenant_id = s.tenant_id AND r.id = s.project_id"
      " WHERE s.tenant_id = current_tenant() AND s.state = 'active'");

static enum err load_shares(struct load *l)
{
    PGresult *rows;

    TRY(db_rows(l->db, &policy_shares_sql, &rows, NO_PARAMS));
    for (int i = 0; i < PQntuples(rows); i++) {
        uint32_t owner = policy_find_project(l->policy, PQgetvalue(rows, i, 0));

        policy_add_share(l->policy,
                         &(struct policy_share){
                             .scope = policy_asset_scope(l->policy, owner, PQgetvalue(rows, i, 1)),
                             .with = policy_find_project(l->policy, PQgetvalue(rows, i, 2)),
                             .version = policy_number(rows, i, 3),
                             .by_alias = PQgetvalue(rows, i, 4)[0] == 't'});
    }
    return OK;
}

QUERY(policy_groups_sql,
      "SELECT id, name FROM principal_group WHERE tenant_id = current_tenant() ORDER BY name");
QUERY(policy_members_sql,
      "SELECT group_id, coalesce(principal_id::text, ''), coalesce(child_id::text, '')," SPAN(
          "m") " FROM group_member m WHERE tenant_id = current_tenant()");

static enum err load_groups(struct load *l)
{
    PGresult *rows;

    TRY(db_rows(l->db, &policy_groups_sql, &rows, NO_PARAMS));
    for (int i = 0; i < PQntuples(rows); i++) {
        struct policy_group g;

        policy_copy(g.id, sizeof(g.id), PQgetvalue(rows, i, 0));
        policy_copy(g.name, sizeof(g.name), PQgetvalue(rows, i, 1));
        (void)policy_add_group(l->policy, &g);
    }
    TRY(db_rows(l->db, &policy_members_sql, &rows, NO_PARAMS));
    for (int i = 0; i < PQntuples(rows); i++)
        policy_add_member(l->policy,
                          &(struct policy_member){
                              .group = policy_find_group(l->policy, PQgetvalue(rows, i, 0)),
                              .principal = policy_find_principal(l->policy, PQgetvalue(rows, i, 1)),
                              .child = policy_find_group(l->policy, PQgetvalue(rows, i, 2)),
                              .from_ms = policy_number(rows, i, 3),
                              .until_ms = policy_number(rows, i, 4)});
    return OK;
}

/* The actions of a list of patterns with blanks between. */
void policy_role_actions(char *list, bool privileged, struct policy_role *role)
{
    char *rest = NULL;

    for (char *word = strtok_r(list, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        (void)action_match(word, privileged, &role->actions);
    for (unsigned a = 0; a < ACTION_COUNT; a++)
        if (action_in(&role->actions, (enum action)a) &&
            action_class((enum action)a) == CLASS_PRIVILEGED)
            role->class = CLASS_PRIVILEGED;
}

static unsigned places_of(const char *list)
{
    return (strstr(list, "tenant") != NULL ? AT_TENANT : 0U) |
           (strstr(list, "project") != NULL ? AT_PROJECT : 0U) |
           (strstr(list, "asset") != NULL ? AT_ASSET : 0U);
}

/* A role that a later version of the program takes for itself gives way to it. */
QUERY(policy_roles_sql, "SELECT name, array_to_string(scopes, ' '), array_to_string(expanded, ' ')"
                        " FROM custom_role WHERE tenant_id = current_tenant() ORDER BY name");

static enum err load_roles(struct load *l)
{
    PGresult *rows;

    TRY(db_rows(l->db, &policy_roles_sql, &rows, NO_PARAMS));
    for (int i = 0; i < PQntuples(rows); i++) {
        struct policy_role role = {.custom = true, .places = places_of(PQgetvalue(rows, i, 1))};

        policy_copy(role.name, sizeof(role.name), PQgetvalue(rows, i, 0));
        policy_role_actions(PQgetvalue(rows, i, 2), false, &role);
        if (policy_find_role(l->policy, role.name) == POLICY_NONE)
            (void)policy_add_role(l->policy, &role);
    }
    return OK;
}

enum err policy_load_things(struct load *l)
{
    TRY(load_principals(l));
    TRY(load_projects(l));
    policy_index(l->policy);
    TRY(lattice_load(l->db, &l->levels));
    TRY(load_assets(l));
    TRY(load_shares(l));
    TRY(load_groups(l));
    return load_roles(l);
}
