/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/catalogue.h"

#include "registry/where.h"

#include <string.h>

/* clang-format off */
const struct field catalogue_fields[] = {
    TEXT(struct catalogue_entry, path, 200),
    TEXT(struct catalogue_entry, kind, 16),
    NAME(struct catalogue_entry, name),
    NAME(struct catalogue_entry, project),
    OPT_TEXT(struct catalogue_entry, description, 2000),
    OBJECT(struct catalogue_entry, tags),
    INT(struct catalogue_entry, versions, 0, INT32_MAX),
    TIME(struct catalogue_entry, updated_at),
    TEXTS(struct catalogue_entry, shared_with, 1000),
    FIELDS_END,
};
/* clang-format on */

/* What few assets have leads to them; what many have is soon met on the way along the paths. */
enum { FOUND_MAX = 5000 };

/* A reader of few projects is answered from each; of many, along the paths of all. */
enum { PROJECTS_FEW = 50 };

struct found {
    const char *id;
};

static const struct field found_fields[] = {TEXT(struct found, id, 36), FIELDS_END};

QUERY(asset_search_sql, "SELECT id FROM asset_search(current_tenant(), $1, $2, $3::jsonb,"
                        " $4::bigint)");

/* A statement on its way: the numbers of its parameters, 0 for what is not asked. */
struct seek {
    const struct catalogue_search *s;
    struct where *w;
    struct texts names; /* projects to look in */
    int projects;       /* those where the caller may read; only, except: assets where it differs */
    int only;
    int except;
    int ids;
    int q;
    int kind;
    int tags;
    int project;
    int after;
    int limit;
};

static enum err bind_sought(struct request *rq, struct seek *k)
{
    const struct catalogue_search *s = k->s;
    const struct found *found;
    struct texts ids;
    struct rows rows;

    if (s->q == NULL && s->kind == NULL && s->tags == NULL)
        return OK;
    TRY(db_list(rq->db, &asset_search_sql, found_fields, sizeof(struct found), &rows,
                PARAMS(P_TEXT(s->q), P_TEXT(s->kind), P_JSON(s->tags), P_INT(FOUND_MAX + 1))));
    if (rows.count > FOUND_MAX) {
        k->q = where_bind(k->w, P_TEXT(s->q));
        k->kind = where_bind(k->w, P_TEXT(s->kind));
        k->tags = where_bind(k->w, P_JSON(s->tags));
        return OK;
    }
    found = rows.items;
    ids = (struct texts){arena_alloc(rq->arena, (rows.count + 1) * sizeof(char *)), rows.count};
    for (size_t i = 0; i < rows.count; i++)
        ids.items[i] = found[i].id;
    k->ids = where_bind(k->w, P_TEXTS(ids.items, ids.count));
    return OK;
}

static bool names_has(const struct texts *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->items[i], name) == 0)
            return true;
    return false;
}

static enum err bind_all(struct request *rq, struct seek *k, int64_t limit)
{
    const struct param may[] = {READABLE_THINGS_PARAMS(&k->s->may)};

    k->only = where_bind(k->w, may[1]);
    k->except = where_bind(k->w, may[2]);
    TRY(bind_sought(rq, k));
    k->names = k->s->may.projects;
    if (k->s->project != NULL) {
        k->project = where_bind(k->w, P_TEXT(k->s->project));
        k->names = (struct texts){arena_alloc(rq->arena, sizeof(char *)), 0};
        if (names_has(&k->s->may.projects, k->s->project))
            k->names.items[k->names.count++] = k->s->project;
    }
    if (k->s->after != NULL)
        k->after = where_bind(k->w, P_TEXT(k->s->after));
    k->limit = where_bind(k->w, P_INT(limit));
    return OK;
}

/* What holds of each asset, wherever it is looked for. */
static void add_common(const struct seek *k)
{
    struct where *w = k->w;

    where_add(w,
              "SELECT a.* FROM asset a WHERE a.tenant_id = current_tenant()"
              " AND a.state = 'active' AND NOT a.path = ANY ($%d::text[])",
              k->except);
    if (k->ids != 0)
        where_add(w, " AND a.id = ANY ($%d::text[]::uuid[])", k->ids);
    if (k->q != 0)
        where_add(w,
                  " AND a.search @@ (SELECT asset_query(current_tenant(), $%d::text, $%d::text,"
                  " $%d::jsonb))",
                  k->q, k->kind, k->tags);
    if (k->after != 0)
        where_add(w, " AND a.path > $%d::text", k->after);
}

/* Bound when it is used: a parameter that is not has no type. */
static int projects_of(struct seek *k)
{
    const struct param may[] = {READABLE_THINGS_PARAMS(&k->s->may)};

    if (k->projects == 0)
        k->projects = where_bind(k->w, may[0]);
    return k->projects;
}

static void add_readable(struct seek *k)
{
    where_add(k->w,
              " AND (split_part(a.path, '/', 1) = ANY ($%d::text[])"
              " OR a.path = ANY ($%d::text[]))",
              projects_of(k), k->only);
}

#define SHARED_WITH                                                                                \
    "a.id = ANY (ARRAY (SELECT s.asset_id FROM asset_share s JOIN project r"                       \
    " ON r.tenant_id = s.tenant_id AND r.id = s.project_id WHERE s.tenant_id ="                    \
    " current_tenant() AND s.state = 'active' AND s.version IS NULL AND r.name = $%d::text))"

static void add_end(const struct seek *k)
{
    where_add(k->w, " ORDER BY a.path LIMIT $%d::bigint", k->limit);
}

/* All at once: when the assets are known, or along the index of paths. */
static void add_whole(struct seek *k)
{
    add_common(k);
    add_readable(k);
    if (k->project != 0)
        where_add(k->w, " AND (split_part(a.path, '/', 1) = $%d::text OR " SHARED_WITH ")",
                  k->project, k->project);
}

/* Where the paths of each project begin and end: '0' follows '/'. Made here, since || in SQL is not
 * leakproof, and row level security would keep the comparison out of the index. */
static void add_ranges(const struct seek *k)
{
    struct arena *a = k->w->arena;
    size_t n = k->names.count;
    struct texts low = {arena_alloc(a, (n + 1) * sizeof(char *)), n};
    struct texts high = {arena_alloc(a, (n + 1) * sizeof(char *)), n};

    for (size_t i = 0; i < n; i++) {
        low.items[i] = arena_printf(a, "%s/", k->names.items[i]);
        high.items[i] = arena_printf(a, "%s0", k->names.items[i]);
    }
    where_add(k->w, "SELECT a.* FROM unnest($%d::text[], $%d::text[]) r (low, high)",
              where_bind(k->w, P_TEXTS(low.items, n)), where_bind(k->w, P_TEXTS(high.items, n)));
}

/* The first ones of each project, whose paths are together, and what is readable or shared one by
 * one. */
static void add_parts(struct seek *k)
{
    struct where *w = k->w;

    add_ranges(k);
    where_add(w, " CROSS JOIN LATERAL (");
    add_common(k);
    where_add(w, " AND a.path > r.low AND a.path < r.high");
    add_end(k);
    where_add(w, ") a UNION ALL (");
    add_common(k);
    where_add(w, " AND a.path = ANY ($%d::text[])", k->only);
    if (k->project != 0)
        where_add(w, " AND split_part(a.path, '/', 1) = $%d::text", k->project);
    add_end(k);
    where_add(w, ")");
    if (k->project == 0)
        return;
    where_add(w, " UNION ALL (");
    add_common(k);
    add_readable(k);
    where_add(w, " AND " SHARED_WITH, k->project);
    add_end(k);
    where_add(w, ")");
}

/* WITH f AS (…): up to so many of what is found, in order. */
static enum err seek(struct request *rq, struct seek *k, int64_t limit)
{
    TRY(bind_all(rq, k, limit));
    where_add(k->w, "WITH f AS (SELECT a.tenant_id, a.id, a.path, a.kind, a.name,"
                    " split_part(a.path, '/', 1) AS project, a.description, a.tags, a.versions,"
                    " a.updated_at FROM (");
    if (k->ids != 0 || k->names.count > PROJECTS_FEW)
        add_whole(k);
    else
        add_parts(k);
    where_add(k->w, ") a");
    add_end(k);
    where_add(k->w, ")");
    return OK;
}

enum err catalogue_list(struct request *rq, const struct catalogue_search *s, struct rows *out)
{
    struct seek k = {.s = s, .w = where_new(rq->arena)};

    TRY(seek(rq, &k, s->limit));
    where_add(k.w,
              " SELECT f.*, ARRAY (SELECT r.name FROM asset_share s JOIN project r"
              " ON r.tenant_id = s.tenant_id AND r.id = s.project_id WHERE s.tenant_id ="
              " f.tenant_id AND s.asset_id = f.id AND s.state = 'active' AND s.version IS NULL"
              " AND r.state = 'active' AND r.name = ANY ($%d::text[]) ORDER BY r.name)"
              " AS shared_with FROM f ORDER BY path",
              projects_of(&k));
    return where_list(rq->db, k.w, catalogue_fields, sizeof(struct catalogue_entry), out);
}

enum err catalogue_facets(struct request *rq, const struct catalogue_search *s, const char **json)
{
    struct seek k = {.s = s, .w = where_new(rq->arena)};

    TRY(seek(rq, &k, CATALOGUE_COUNTED + 1));
    where_add(k.w, ", c AS (SELECT * FROM f ORDER BY path LIMIT %d)", CATALOGUE_COUNTED);
    where_add(k.w,
              " SELECT json_build_object('kind', (SELECT coalesce(json_object_agg(kind, n),"
              " '{}') FROM (SELECT kind, count(*) AS n FROM c GROUP BY 1) x), 'project', (SELECT"
              " coalesce(json_object_agg(project, n), '{}') FROM (SELECT project, count(*) AS n"
              " FROM c GROUP BY 1) x), 'tag', (SELECT coalesce(json_object_agg(tag, n), '{}')"
              " FROM (SELECT t.key || ':' || t.value AS tag, count(*) AS n FROM c,"
              " jsonb_each_text(c.tags) t GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 50) x),");
    where_add(k.w, " 'complete', (SELECT count(*) FROM f) <= %d)", CATALOGUE_COUNTED);
    return where_json(rq->db, k.w, json);
}
