/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MLFLOW_TRACE_JSON_H
#define MLFLOW_TRACE_JSON_H

/* SQL for JSON as MLflow's protobuf messages have it, of the rows t and a: times are RFC 3339,
 * durations seconds. Where spans and artifacts lie is ours to say, not a tag anybody could set. */

#define ASSESSMENT_JSON                                                                            \
    "json_strip_nulls(json_build_object('assessment_id', a.id, 'assessment_name', a.name,"         \
    " 'trace_id', t.id, 'span_id', a.span_id, 'source', json_build_object('source_type',"          \
    " a.source_type, 'source_id', a.source_id), 'create_time',"                                    \
    " to_char(to_timestamp(a.created_ms / 1000.0) AT TIME ZONE 'UTC',"                             \
    " 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), 'last_update_time',"                                   \
    " to_char(to_timestamp(a.updated_ms / 1000.0) AT TIME ZONE 'UTC',"                             \
    " 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), 'feedback', CASE a.kind WHEN 'feedback' THEN"          \
    " a.content END, 'expectation', CASE a.kind WHEN 'expectation' THEN a.content END, 'issue',"   \
    " CASE a.kind WHEN 'issue' THEN a.content END, 'rationale', a.rationale, 'metadata',"          \
    " a.metadata, 'overrides', a.overrides, 'valid', a.valid))"

#define TRACE_JSON                                                                                 \
    "json_strip_nulls(json_build_object('trace_id', t.id, 'client_request_id',"                    \
    " t.client_request_id, 'trace_location', json_build_object('type', 'MLFLOW_EXPERIMENT',"       \
    " 'mlflow_experiment', json_build_object('experiment_id', t.experiment_id::text)),"            \
    " 'request_preview', t.request_preview, 'response_preview', t.response_preview,"               \
    " 'request_time', to_char(to_timestamp(t.start_ms / 1000.0) AT TIME ZONE 'UTC',"               \
    " 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), 'execution_duration',"                                 \
    " round(t.duration_ms / 1000.0, 3) || 's', 'state', t.state, 'trace_metadata', t.metadata,"    \
    " 'tags', t.tags || jsonb_build_object('mlflow.artifactLocation', 'mlflow-artifacts:/' ||"     \
    " t.experiment_id || '/traces/' || t.id || '/artifacts') || CASE WHEN t.spanned THEN"          \
    " '{\"mlflow.trace.spansLocation\": \"TRACKING_STORE\"}'::jsonb ELSE '{}' END, 'assessments'," \
    " (SELECT coalesce(json_agg(" ASSESSMENT_JSON " ORDER BY a.created_ms, a.id), '[]')"           \
    " FROM trace_assessment a WHERE a.tenant_id = t.tenant_id AND a.trace_key = t.key)))"

#endif
