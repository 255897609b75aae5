/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/policy_load.h"

#include <string.h>

static uint32_t scope_of(const struct policy *p, const char *scope, const char *project,
                         const char *asset)
{
    uint32_t index;
    uint32_t own;

    if (strcmp(scope, "platform") == 0)
        return SCOPE_AT_PLATFORM;
    if (strcmp(scope, "tenant") == 0)
        return SCOPE_AT_TENANT;
    index = policy_find_project(p, project);
    if (index == POLICY_NONE)
        return POLICY_NONE;
    if (strcmp(scope, "project") == 0)
        return SCOPE_AT_PROJECTS + index;
    own = policy_asset_scope(p, index, asset);
    return own == SCOPE_AT_PROJECTS + index ? POLICY_NONE : own;
}

/* One that this version does not understand is never true. */
static uint32_t load_condition(struct load *l, const char *text)
{
    struct condition c;
    const char *why;

    if (*text == '\0')
        return 0;
    if (!condition_parse(text, &l->levels, &c, &why))
        c.count = 0;
    return policy_add_condition(l->policy, &c);
}

/* The columns that grants of every kind share, in this order: id, scope, project, asset, span. */
#define PLACE(x) x ".id, " x ".scope, coalesce(p.name, ''), coalesce(" x ".asset, ''),"
#define OF_PROJECT(x)                                                                              \
    " LEFT JOIN project p ON p.tenant_id = " x ".tenant_id AND p.id = " x ".project_id"

static struct policy_grant read_place(struct load *l, PGresult *rows, int i, uint32_t role)
{
    struct policy_grant g = {.role = role,
                             .scope = scope_of(l->policy, PQgetvalue(rows, i, 1),
                                               PQgetvalue(rows, i, 2), PQgetvalue(rows, i, 3)),
                             .from_ms = policy_number(rows, i, 4),
                             .until_ms = policy_number(rows, i, 5)};

    policy_copy(g.id, sizeof(g.id), PQgetvalue(rows, i, 0));
    return g;
}

static void read_holder(struct load *l, const char *principal, const char *group,
                        struct policy_grant *g)
{
    uint32_t index = policy_find_group(l->policy, group);

    g->principal = policy_find_principal(l->policy, principal);
    g->group = *group == '\0' ? 0 : index == POLICY_NONE ? POLICY_NONE : index + 1;
}

QUERY(policy_bindings_sql,
      "SELECT " PLACE("b")
          SPAN("b") ", b.role, coalesce(b.principal_id::text, ''),"
                    " coalesce(b.group_id::text, ''), coalesce(b.condition, ''), false AS eligible"
                    " FROM binding b" OF_PROJECT(
                        "b") " WHERE b.tenant_id = current_tenant() UNION ALL"
                             " SELECT " PLACE("e") " 0, coalesce(" MS(
                                 "e.valid_until") ", 9223372036854775807), e.role,"
                                                  " coalesce(e.principal_id::text, ''), "
                                                  "coalesce(e.group_id::text, ''), '', true"
                                                  " FROM eligible e" OF_PROJECT(
                                                      "e") " WHERE e.tenant_id = current_tenant()");

static enum err load_bindings(struct load *l)
{
    PGresult *rows;

    TRY(db_rows(l->db, &policy_bindings_sql, &rows, NO_PARAMS));
    for (int i = 0; i < PQntuples(rows); i++) {
        struct policy_grant g =
            read_place(l, rows, i, policy_find_role(l->policy, PQgetvalue(rows, i, 6)));

        read_holder(l, PQgetvalue(rows, i, 7), PQgetvalue(rows, i, 8), &g);
        g.condition = load_condition(l, PQgetvalue(rows, i, 9));
        g.kind = PQgetvalue(rows, i, 10)[0] == 't' ? GRANT_ELIGIBLE : GRANT_ALLOW;
        policy_add_grant(l->policy, &g);
    }
    return OK;
}

/* The actions of a deny or a ceiling are a role that nobody can name. */
static uint32_t nameless_role(struct load *l, const char *id, char *actions)
{
    struct policy_role role = {.class = CLASS_PRIVILEGED};

    (void)snprintf(role.name, sizeof(role.name), "!%s", id);
    policy_role_actions(actions, true, &role);
    return policy_add_role(l->policy, &role);
}

QUERY(policy_denies_sql,
      "SELECT " PLACE("d") " 0, coalesce(" MS(
          "d.valid_until") ", 9223372036854775807),"
                           " array_to_string(d.actions, ' '), array_to_string(d.holders, ' '),"
                           " array_to_string(d.spared, ' ')"
                           " FROM deny d" OF_PROJECT("d") " WHERE d.tenant_id = current_tenant()");

static void add_each(struct load *l, struct policy_grant *g, char *ids)
{
    char *rest = NULL;

    for (char *id = strtok_r(ids, " ", &rest); id != NULL; id = strtok_r(NULL, " ", &rest)) {
        bool group = policy_find_group(l->policy, id) != POLICY_NONE;

        read_holder(l, group ? "" : id, group ? id : "", g);
        policy_add_grant(l->policy, g);
    }
}

static enum err load_denies(struct load *l)
{
    PGresult *rows;

    TRY(db_rows(l->db, &policy_denies_sql, &rows, NO_PARAMS));
    for (int i = 0; i < PQntuples(rows); i++) {
        uint32_t role = nameless_role(l, PQgetvalue(rows, i, 0), PQgetvalue(rows, i, 6));
        struct policy_grant g = read_place(l, rows, i, role);

        g.kind = GRANT_DENY;
        g.group = POLICY_EVERYONE;
        if (*PQgetvalue(rows, i, 7) == '\0')
            policy_add_grant(l->policy, &g);
        add_each(l, &g, PQgetvalue(rows, i, 7));
        g.kind = GRANT_SPARE;
        add_each(l, &g, PQgetvalue(rows, i, 8));
    }
    return OK;
}

QUERY(policy_ceilings_sql,
      "SELECT " PLACE("c") " 0, 9223372036854775807, array_to_string(c.actions, ' '),"
                           " c.principal_id FROM ceiling c" OF_PROJECT(
                               "c") " WHERE c.tenant_id = current_tenant()");

static enum err load_ceilings(struct load *l)
{
    PGresult *rows;

    TRY(db_rows(l->db, &policy_ceilings_sql, &rows, NO_PARAMS));
    for (int i = 0; i < PQntuples(rows); i++) {
        uint32_t role = nameless_role(l, PQgetvalue(rows, i, 0), PQgetvalue(rows, i, 6));
        struct policy_grant g = read_place(l, rows, i, role);

        g.kind = GRANT_CEILING;
        read_holder(l, PQgetvalue(rows, i, 7), "", &g);
        policy_add_grant(l->policy, &g);
    }
    return OK;
}

enum err policy_load_grants(struct load *l)
{
    TRY(load_bindings(l));
    TRY(load_denies(l));
    return load_ceilings(l);
}
