/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/replay.h"

#include "core/db.h"
#include "core/route.h"

#include <string.h>

enum { REPLAY_MAX = 5000 };

struct past {
    const char *actor;
    const char *route;
    const char *project;
    const char *asset;
    const char *outcome;
    int64_t times;
    const char *at;
};

static const struct field past_fields[] = {
    TEXT(struct past, actor, 36),
    TEXT(struct past, route, 100),
    OPT_TEXT(struct past, project, 63),
    OPT_TEXT(struct past, asset, 80),
    TEXT(struct past, outcome, 40),
    INT(struct past, times, 1, INT64_MAX),
    TIME(struct past, at),
    FIELDS_END,
};

/* Neither what nobody asked nor what failed for other reasons than rights. */
QUERY(replay_sql,
      "SELECT e.actor, e.action AS route, e.project,"
      " substring(e.object FROM '^(?:models|datasets|endpoints)/[^/]+') AS asset, e.outcome,"
      " count(*) AS times, max(e.at) AS at FROM audit_entry e"
      " WHERE e.tenant_id = current_tenant() AND e.actor IS NOT NULL"
      " AND e.at > now() - make_interval(days => $1::int)"
      " AND e.outcome IN ('ok', 'denied', 'not-found')"
      " GROUP BY 1, 2, 3, 4, 5 ORDER BY 7 DESC LIMIT $2::bigint");

enum err replay_load(struct db *db, int64_t days, struct replay *out)
{
    TRY(db_list(db, &replay_sql, past_fields, sizeof(struct past), &out->rows,
                PARAMS(P_INT(days), P_INT(REPLAY_MAX + 1))));
    out->complete = out->rows.count <= REPLAY_MAX;
    if (!out->complete)
        out->rows.count = REPLAY_MAX;
    return OK;
}

static enum action action_of(const char *route)
{
    for (unsigned i = 0; i < routes_count; i++)
        if (strcmp(routes[i].name, route) == 0)
            return (enum action)routes[i].action;
    return DENY;
}

/* Where it was, in that policy. */
static uint32_t scope_of(const struct policy *p, const struct past *d)
{
    uint32_t project = d->project == NULL ? POLICY_NONE : policy_find_project(p, d->project);

    if (project == POLICY_NONE)
        return SCOPE_AT_TENANT;
    return d->asset == NULL ? SCOPE_AT_PROJECTS + project
                            : policy_asset_scope(p, project, d->asset);
}

static bool ask(const struct policy *p, const struct past *d, enum action a)
{
    return policy_allows(p, policy_find_principal(p, d->actor), a, scope_of(p, d), time_now_ms());
}

static json_t *told(const struct policy *p, const struct past *d, enum action a, bool was)
{
    return json_pack("{s:s, s:s, s:s*, s:s*, s:I, s:s, s:s, s:s}", "principal",
                     policy_principal(p, policy_find_principal(p, d->actor))->name, "action",
                     action_text(a), "project", d->project, "asset", d->asset, "times",
                     (json_int_t)d->times, "at", d->at, "was", was ? "allowed" : "refused",
                     "would_be", was ? "refused" : "allowed");
}

json_t *replay_differences(const struct replay *r, const struct policy *before,
                           const struct policy *after)
{
    const struct past *list = r->rows.items;
    json_t *out = json_array();

    for (size_t i = 0; i < r->rows.count; i++) {
        enum action a = action_of(list[i].route);
        bool now;
        bool was;

        if (a <= ANYONE || policy_find_principal(after, list[i].actor) == POLICY_NONE)
            continue;
        now = ask(before, &list[i], a);
        /* Not there, or not to be seen: the present policy knows. */
        was = strcmp(list[i].outcome, "not-found") == 0 ? now : strcmp(list[i].outcome, "ok") == 0;
        if (was == now && ask(after, &list[i], a) != now)
            json_array_append_new(out, told(after, &list[i], a, was));
    }
    return out;
}
