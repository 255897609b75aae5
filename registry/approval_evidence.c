/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/approval.h"

#include "lineage/canonical.h"
#include "registry/reply.h"

#include <string.h>

enum { EVIDENCE_MAX = 16 << 20, UPSTREAM_MAX = 200 };

enum err evidence_digest(const json_t *evidence, struct digest *out)
{
    struct text t = text_new(EVIDENCE_MAX);
    enum err e = canonical_json(evidence, &t);

    if (e == OK)
        *out = sha256_of(t.data, t.length);
    text_free(&t);
    return e;
}

struct training {
    const char *job;
    const char *kind;
    const char *requested_by;
    const char *approval;
    json_t *spec;
    const char *input;
    const char *input_digest;
};

static const struct field training_fields[] = {
    TEXT(struct training, job, 36),          TEXT(struct training, kind, 10),
    NAME(struct training, requested_by),     TEXT(struct training, approval, 36),
    OBJECT(struct training, spec),           TEXT(struct training, input, 200),
    TEXT(struct training, input_digest, 64), FIELDS_END,
};

QUERY(evidence_training_sql,
      "SELECT j.id AS job, j.kind, u.name AS requested_by, j.approval_id AS approval, j.spec,"
      " CASE WHEN a.project_id <> j.project_id THEN 'projects/' || o.name || '/' ELSE '' END"
      " || format('%ss/%s/versions/%s', a.kind, a.name, v.number) AS input,"
      " v.digest AS input_digest"
      " FROM job j JOIN version v ON v.tenant_id = j.tenant_id AND v.id = j.input_id"
      " JOIN asset a ON a.tenant_id = v.tenant_id AND a.id = v.asset_id"
      " JOIN project o ON o.tenant_id = a.tenant_id AND o.id = a.project_id"
      " JOIN principal u ON u.tenant_id = j.tenant_id AND u.id = j.requested_by"
      " WHERE j.tenant_id = current_tenant() AND j.id = $1::uuid");

/* The job that made the version, or null for one that was uploaded. */
static enum err training_json(struct db *db, const struct version *v, json_t **out)
{
    struct training t;

    *out = json_null();
    if (v->job == NULL)
        return OK;
    TRY(db_one(db, &evidence_training_sql, training_fields, &t, PARAMS(P_TEXT(v->job))));
    *out = field_to_json(training_fields, &t);
    return OK;
}

struct upstream {
    const char *name;
    const char *kind;
    const char *digest;
    int64_t depth;
};

static const struct field upstream_fields[] = {
    TEXT(struct upstream, name, 2048),
    TEXT(struct upstream, kind, 64),
    TEXT(struct upstream, digest, 64),
    INT(struct upstream, depth, 0, 100),
    FIELDS_END,
};

QUERY(evidence_upstream_sql,
      "WITH RECURSIVE up (id, depth) AS (SELECT n.id, 0 FROM lineage_node n"
      "   WHERE n.tenant_id = current_tenant() AND n.name = $1"
      "  UNION SELECT e.src, up.depth + 1 FROM up JOIN lineage_edge e"
      "   ON e.tenant_id = current_tenant() AND e.dst = up.id WHERE up.depth < 12)"
      " SELECT n.name, n.kind, n.digest, min(up.depth) AS depth FROM up JOIN lineage_node n"
      "  ON n.tenant_id = current_tenant() AND n.id = up.id WHERE up.depth > 0"
      " GROUP BY n.name, n.kind, n.digest ORDER BY min(up.depth), n.name LIMIT $2::bigint");

static enum err lineage_json(struct db *db, const struct version *v, json_t **out)
{
    const struct upstream *node;
    struct rows rows;
    json_t *list;

    TRY(db_list(db, &evidence_upstream_sql, upstream_fields, sizeof(struct upstream), &rows,
                PARAMS(P_TEXT(version_node(db->arena, v)), P_INT(UPSTREAM_MAX + 1))));
    node = rows.items;
    list = json_array();
    for (size_t i = 0; i < rows.count && i < UPSTREAM_MAX; i++)
        json_array_append_new(list, field_to_json(upstream_fields, &node[i]));
    *out = json_pack("{s:o, s:b}", "upstream", list, "complete", rows.count <= UPSTREAM_MAX);
    return OK;
}

static json_t *metrics_of(const struct version *v)
{
    json_t *metrics = json_object_get(v->manifest, "metrics");

    return json_is_object(metrics) ? json_incref(metrics) : json_object();
}

static json_t *number_or_null(const json_t *value)
{
    return json_is_number(value) ? json_copy((json_t *)value) : json_null();
}

static void compare_metric(json_t *into, const char *name, const json_t *from, const json_t *to)
{
    json_t *change = json_null();

    if (json_is_number(from) && json_is_number(to))
        change = json_real(json_number_value(to) - json_number_value(from));
    json_object_set_new(into, name,
                        json_pack("{s:o, s:o, s:o}", "from", number_or_null(from), "to",
                                  number_or_null(to), "change", change));
}

static json_t *metric_diff(const json_t *from, const json_t *to)
{
    json_t *diff = json_object();
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)to, name, value)
    {
        compare_metric(diff, name, json_object_get(from, name), value);
    }
    json_object_foreach((json_t *)from, name, value)
    {
        if (json_object_get(to, name) == NULL)
            compare_metric(diff, name, value, NULL);
    }
    return diff;
}

/* Features are names, or objects with a name. */
static const char *feature_name(const json_t *feature)
{
    const json_t *name = json_is_object(feature) ? json_object_get(feature, "name") : feature;

    return json_string_value(name);
}

static json_t *feature_names(const struct version *v)
{
    json_t *names = json_object();
    const json_t *features = v == NULL ? NULL : json_object_get(v->manifest, "features");

    for (size_t i = 0; i < json_array_size(features); i++) {
        const char *name = feature_name(json_array_get(features, i));

        if (name != NULL)
            json_object_set_new(names, name, json_true());
    }
    return names;
}

/* The names of one set that are not in the other. */
static json_t *missing(const json_t *of, const json_t *in)
{
    json_t *list = json_array();
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)of, name, value)
    {
        if (json_object_get(in, name) == NULL)
            json_array_append_new(list, json_string(name));
    }
    return list;
}

static json_t *diff_json(const struct version *current, const struct version *v)
{
    json_t *from = current == NULL ? json_object() : metrics_of(current);
    json_t *to = metrics_of(v);
    json_t *had = feature_names(current);
    json_t *has = feature_names(v);
    json_t *diff = json_pack("{s:o, s:{s:o, s:o}}", "metrics", metric_diff(from, to), "features",
                             "added", missing(has, had), "removed", missing(had, has));

    json_decref(from);
    json_decref(to);
    json_decref(had);
    json_decref(has);
    return diff;
}

static json_t *version_json(const struct version *v)
{
    return json_pack("{s:I, s:s, s:O, s:s, s:O*}", "number", (json_int_t)v->number, "digest",
                     v->digest, "manifest", v->manifest, "created_by", v->created_by, "origin",
                     v->origin);
}

static json_t *current_json(const struct version *current)
{
    if (current == NULL)
        return json_null();
    return json_pack("{s:I, s:s, s:o}", "number", (json_int_t)current->number, "digest",
                     current->digest, "metrics", metrics_of(current));
}

enum err approval_evidence(struct db *db, const char *project_id, const struct version *v,
                           const char *alias, json_t **out)
{
    const struct version_key key = {.kind = v->kind, .asset = v->asset, .alias = alias};
    struct version holder;
    const struct version *current = &holder;
    json_t *training;
    json_t *lineage;
    enum err e = version_get(db, project_id, &key, &holder);

    if (e == ERR_NOT_FOUND)
        current = NULL;
    else
        TRY(e);
    TRY(training_json(db, v, &training));
    arena_own(db->arena, training, json_release);
    TRY(lineage_json(db, v, &lineage));
    *out = json_pack("{s:o, s:o, s:O, s:o, s:o, s:o}", "version", version_json(v), "metrics",
                     metrics_of(v), "training", training, "lineage", lineage, "current",
                     current_json(current), "diff", diff_json(current, v));
    arena_own(db->arena, *out, json_release);
    return *out == NULL ? ERR_INTERNAL : OK;
}
