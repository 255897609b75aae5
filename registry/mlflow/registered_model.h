/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MLFLOW_REGISTERED_MODEL_H
#define MLFLOW_REGISTERED_MODEL_H

#include "registry/mlflow/logged_model.h"
#include "registry/version.h"

/* A registered model of MLflow is an asset of kind model, and its versions are versions: sealed,
 * with a digest. What MLflow says of where a version came from is member "mlflow" of its manifest.
 * A prompt of MLflow is an asset of kind prompt; the tags by which clients know one are made of its
 * manifest, so that its text is as immutable as any version's.
 * These texts show them as MLflow's JSON: v version, a asset. */
/* clang-format off */
#define EPOCH_MS(column) "(extract(epoch FROM " column ") * 1000)::bigint"
#define REGISTERED_TAGS                                                                            \
    "(CASE a.kind WHEN 'prompt' THEN a.tags || '{\"mlflow.prompt.is_prompt\": \"true\"}' ELSE a.tags END)"
#define MODEL_VERSION_TAGS                                                                         \
    "(CASE a.kind WHEN 'prompt' THEN v.tags || jsonb_strip_nulls(jsonb_build_object("              \
    "'mlflow.prompt.is_prompt', 'true', 'mlflow.prompt.text', v.manifest ->> 'template',"          \
    " '_mlflow_prompt_type', CASE json_typeof(v.manifest -> 'template') WHEN 'array' THEN 'chat' ELSE 'text' END))" \
    " ELSE v.tags END)"
#define MODEL_VERSION_SOURCE                                                                       \
    "coalesce(v.manifest -> 'mlflow' ->> 'source',"                                                \
    " 'mlflow-artifacts:/registered-models/' || a.name || '/' || v.number)"
#define MODEL_VERSION_STAGE "version_stage(v.tenant_id, v.asset_id, v.id)"
#define MODEL_VERSION_JSON                                                                         \
    "json_strip_nulls(json_build_object('name', a.name, 'version', v.number::text,"                \
    " 'creation_timestamp', " EPOCH_MS("v.created_at") ","                                         \
    " 'last_updated_timestamp', " EPOCH_MS("coalesce(v.ready_at, v.created_at)") ","               \
    " 'current_stage', " MODEL_VERSION_STAGE ", 'description', v.description,"                     \
    " 'user_id', (SELECT u.name FROM principal u WHERE u.tenant_id = v.tenant_id AND u.id = v.created_by)," \
    " 'source', " MODEL_VERSION_SOURCE ", 'run_id', v.manifest -> 'mlflow' ->> 'run_id',"          \
    " 'run_link', v.manifest -> 'mlflow' ->> 'run_link', 'model_id', v.manifest -> 'mlflow' ->> 'model_id'," \
    " 'status', CASE v.state WHEN 'ready' THEN 'READY' ELSE 'PENDING_REGISTRATION' END,"           \
    " 'tags', " PAIRS_JSON(MODEL_VERSION_TAGS) ","                                                 \
    " 'aliases', ARRAY (SELECT l.name FROM alias l WHERE l.tenant_id = v.tenant_id"                \
    "  AND l.asset_id = v.asset_id AND l.version_id = v.id AND " ALIAS_HOLDS " ORDER BY l.name)))"
/* The newest version of each stage. */
#define LATEST_VERSIONS_JSON                                                                       \
    "(SELECT coalesce(json_agg(" MODEL_VERSION_JSON " ORDER BY v.number), '[]') FROM (SELECT DISTINCT ON (w.stage)" \
    " w.* FROM (SELECT v.*, " MODEL_VERSION_STAGE " AS stage FROM version v WHERE v.tenant_id = a.tenant_id" \
    " AND v.asset_id = a.id AND v.state <> 'deleted') w ORDER BY w.stage, w.number DESC) v)"
#define REGISTERED_MODEL_JSON                                                                      \
    "json_build_object('name', a.name, 'creation_timestamp', " EPOCH_MS("a.created_at") ","        \
    " 'last_updated_timestamp', " EPOCH_MS("a.updated_at") ", 'description', a.description,"       \
    " 'tags', " PAIRS_JSON(REGISTERED_TAGS) ","                                                    \
    " 'aliases', (SELECT coalesce(json_agg(json_build_object('alias', l.name, 'version', n.number::text)" \
    "  ORDER BY l.name), '[]') FROM alias l JOIN version n ON n.tenant_id = l.tenant_id AND n.id = l.version_id" \
    "  WHERE l.tenant_id = a.tenant_id AND l.asset_id = a.id AND " ALIAS_HOLDS "),"                \
    " 'latest_versions', " LATEST_VERSIONS_JSON ")"
/* clang-format on */

/* "model" or "prompt": which of them has that name; ERR_NOT_FOUND for neither. */
MUST_CHECK enum err registered_model_kind(struct db *db, const char *project_id, const char *name,
                                          const char **kind);
/* JSON texts as MLflow answers them. ERR_NOT_FOUND. The key's kind and asset are read. */
MUST_CHECK enum err registered_model_get(struct db *db, const char *project_id,
                                         const struct version_key *key, const char **json);
/* {"model_versions":[…]}: the newest of each stage, of these stages only unless stages is empty. */
MUST_CHECK enum err registered_model_latest(struct db *db, const char *project_id,
                                            const struct version_key *key,
                                            const struct texts *stages, const char **json);
MUST_CHECK enum err model_version_show(struct db *db, const char *version_id, const char **json);
/* The open request to let alias mean the version. ERR_NOT_FOUND. */
MUST_CHECK enum err promotion_pending(struct db *db, const char *version_id, const char *alias,
                                      const char **approval_id);

/* Give an asset another name. The old one stays as a purged asset, so that its numbers are never
 * used again. ERR_EXISTS when the new one is taken. */
struct asset;
MUST_CHECK enum err registered_model_rename(struct db *db, const struct asset *a, const char *name,
                                            const char *by);

/* Put a version into a stage; an approval that is not granted yet makes it wait. */
struct stage_move {
    const char *asset_id;
    const char *version_id;
    const char *stage;
    bool archive;
    const char *approval_id; /* or NULL */
    const char *by;
};
MUST_CHECK enum err stage_set(struct db *db, const struct stage_move *m);

#endif
