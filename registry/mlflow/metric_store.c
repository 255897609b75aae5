/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/mlflow.h"
#include "registry/mlflow/run.h"

#define METRIC_JSON                                                                                \
    "json_build_object('key', x.key, 'value', x.value, 'timestamp', x.at, 'step', x.step,"         \
    " 'run_id', " RUN_HEX("x.run_id") ")"

QUERY(metric_history_sql,
      "WITH x AS (SELECT * FROM metric x WHERE x.tenant_id = current_tenant()"
      " AND x.run_id = $1::uuid AND x.key = $2"
      " AND (x.at, x.step, x.value) > ($3::bigint, $4::bigint, $5::float8)"
      " ORDER BY x.at, x.step, x.value LIMIT $6::bigint)"
      " SELECT json_strip_nulls(json_build_object('metrics', coalesce(json_agg(" METRIC_JSON
      " ORDER BY x.at, x.step, x.value), '[]'), 'next_page_token', CASE WHEN count(*) = $6"
      " THEN (array_agg(x.at || ':' || x.step || ':' || x.value"
      " ORDER BY x.at DESC, x.step DESC, x.value DESC))[1] END)) FROM x");

enum err metric_history(struct db *db, const char *run_id, const char *key,
                        const struct metric_place *after, int64_t limit, const char **json)
{
    return mlflow_json(db, &metric_history_sql, json,
                       PARAMS(P_TEXT(run_id), P_TEXT(key), P_INT(after->at), P_INT(after->step),
                              P_TEXT(after->value), P_INT(limit)));
}

QUERY(metric_interval_sql,
      "WITH x AS (SELECT m.*, row_number() OVER w AS n, count(*) OVER (PARTITION BY m.run_id) AS c"
      " FROM metric m JOIN run r ON r.tenant_id = m.tenant_id AND r.id = m.run_id"
      " WHERE m.tenant_id = current_tenant() AND r.project_id = $1::uuid"
      " AND m.run_id = ANY ($2::uuid[]) AND m.key = $3"
      " AND m.step BETWEEN $4::bigint AND $5::bigint"
      " WINDOW w AS (PARTITION BY m.run_id ORDER BY m.step, m.at, m.value))"
      " SELECT json_build_object('metrics', coalesce(json_agg(" METRIC_JSON
      " ORDER BY x.run_id, x.step, x.at, x.value), '[]')) FROM x"
      " WHERE x.n = x.c OR (x.n - 1) % greatest(1, (x.c + $6::bigint - 1) / $6::bigint) = 0");

enum err metric_interval(struct db *db, const char *project_id, const struct metric_interval *i,
                         const char **json)
{
    return mlflow_json(db, &metric_interval_sql, json,
                       PARAMS(P_TEXT(project_id), P_TEXTS(i->runs.items, i->runs.count),
                              P_TEXT(i->key), P_INT(i->start), P_INT(i->end), P_INT(i->limit)));
}
