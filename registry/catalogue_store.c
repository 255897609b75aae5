/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/catalogue.h"

#include "registry/where.h"

const struct field catalogue_fields[] = {
    TEXT(struct catalogue_entry, path, 200),
    TEXT(struct catalogue_entry, kind, 16),
    NAME(struct catalogue_entry, name),
    NAME(struct catalogue_entry, project),
    OPT_TEXT(struct catalogue_entry, description, 2000),
    OBJECT(struct catalogue_entry, tags),
    INT(struct catalogue_entry, versions, 0, INT32_MAX),
    TIME(struct catalogue_entry, updated_at),
    FIELDS_END,
};

#define PATH "(p.name || '/' || a.kind || 's/' || a.name) COLLATE \"C\""

static void add_text(struct where *w, const char *test, const char *value)
{
    if (value != NULL)
        where_add(w, " AND %s $%d::text", test, where_bind(w, P_TEXT(value)));
}

static struct where *found(struct request *rq, const struct catalogue_search *s)
{
    const struct param may[] = {READABLE_THINGS_PARAMS(&s->may)};
    struct where *w = where_new(rq->arena);

    where_add(w, "WITH f AS (SELECT " PATH " AS path, a.kind, a.name, p.name AS project,"
                 " a.description, a.tags, a.versions, a.updated_at FROM asset a JOIN project p"
                 " ON p.tenant_id = a.tenant_id AND p.id = a.project_id");
    where_add(w, " WHERE a.tenant_id = current_tenant() AND a.state = 'active'"
                 " AND p.state = 'active'");
    where_add(w, " AND (p.name = ANY ($%d::text[]) OR " PATH " = ANY ($%d::text[]))",
              where_bind(w, may[0]), where_bind(w, may[1]));
    where_add(w, " AND NOT " PATH " = ANY ($%d::text[])", where_bind(w, may[2]));
    if (s->q != NULL)
        where_add(w,
                  " AND (a.search @@ websearch_to_tsquery('simple', $%d::text)"
                  " OR starts_with(a.name, $%d::text))",
                  where_bind(w, P_TEXT(s->q)), where_bind(w, P_TEXT(s->q)));
    add_text(w, "a.kind =", s->kind);
    add_text(w, "p.name =", s->project);
    if (s->tags != NULL)
        where_add(w, " AND a.tags @> $%d::jsonb", where_bind(w, P_JSON(s->tags)));
    add_text(w, PATH " >", s->after);
    return w;
}

enum err catalogue_list(struct request *rq, const struct catalogue_search *s, struct rows *out)
{
    struct where *w = found(rq, s);

    where_add(w, " ORDER BY 1 LIMIT $%d::bigint) SELECT * FROM f ORDER BY path",
              where_bind(w, P_INT(s->limit)));
    return where_list(rq->db, w, catalogue_fields, sizeof(struct catalogue_entry), out);
}

enum err catalogue_facets(struct request *rq, const struct catalogue_search *s, const char **json)
{
    struct where *w = found(rq, s);

    where_add(w, ") SELECT json_build_object('kind', (SELECT coalesce(json_object_agg(kind, n),"
                 " '{}') FROM (SELECT kind, count(*) AS n FROM f GROUP BY 1) x), 'project', (SELECT"
                 " coalesce(json_object_agg(project, n), '{}') FROM (SELECT project, count(*) AS n"
                 " FROM f GROUP BY 1) x), 'tag', (SELECT coalesce(json_object_agg(tag, n), '{}')"
                 " FROM (SELECT t.key || ':' || t.value AS tag, count(*) AS n FROM f,"
                 " jsonb_each_text(f.tags) t GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 50) x))");
    return where_json(rq->db, w, json);
}
