/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_REGISTERED_MODEL_H
#define REGISTRY_REGISTERED_MODEL_H

#include "registry/logged_model.h"
#include "registry/version.h"

/* A registered model of MLflow is an asset of kind model, and its versions are versions: sealed,
 * with a digest. What MLflow says of where a version came from is member "mlflow" of its manifest.
 * These texts show them as MLflow's JSON: v version, a asset. */
#define EPOCH_MS(column) "(extract(epoch FROM " column ") * 1000)::bigint"
#define MODEL_VERSION_JSON                                                                         \
    "json_strip_nulls(json_build_object('name', a.name, 'version', v.number::text,"                \
    " 'creation_timestamp', " EPOCH_MS("v.created_at") ", 'last_updated_timestamp', " EPOCH_MS(    \
        "coalesce(v.ready_at, v.created_at)") ", 'current_stage', 'None', 'description',"          \
                                              " v.description, 'user_id', (SELECT u.name FROM "    \
                                              "principal u WHERE u.tenant_id = v.tenant_id"        \
                                              " AND u.id = v.created_by), 'source', "              \
                                              "coalesce(v.manifest -> 'mlflow' ->> 'source',"      \
                                              " 'mlflow-artifacts:/registered-models/' || a.name " \
                                              "|| '/' || v.number), 'run_id',"                     \
                                              " v.manifest -> 'mlflow' ->> 'run_id', 'run_link', " \
                                              "v.manifest -> 'mlflow' ->> 'run_link',"             \
                                              " 'model_id', v.manifest -> 'mlflow' ->> "           \
                                              "'model_id', 'status', CASE v.state WHEN 'ready'"    \
                                              " THEN 'READY' ELSE 'PENDING_REGISTRATION' END, "    \
                                              "'tags', " PAIRS_JSON(                               \
                                                  "v.tags") ", 'aliases', ARRAY (SELECT l.name "   \
                                                            "FROM alias l WHERE l.tenant_id = "    \
                                                            "v.tenant_id"                          \
                                                            " AND l.asset_id = v.asset_id AND "    \
                                                            "l.version_id = v.id AND " ALIAS_HOLDS \
                                                            " ORDER BY l.name)))"
#define REGISTERED_MODEL_JSON                                                                                        \
    "json_build_object('name', a.name, 'creation_timestamp', " EPOCH_MS(                                             \
        "a.created_at") ", 'last_updated_timestamp', " EPOCH_MS("a.updated_at") ", "                                 \
                                                                                "'description', "                    \
                                                                                "a.description,"                     \
                                                                                " 'tags',"                           \
                                                                                " " PAIRS_JSON(                      \
                                                                                    "a.tags") ", "                   \
                                                                                              "'a"                   \
                                                                                              "li"                   \
                                                                                              "as"                   \
                                                                                              "es"                   \
                                                                                              "',"                   \
                                                                                              " ("                   \
                                                                                              "SE"                   \
                                                                                              "LE"                   \
                                                                                              "CT"                   \
                                                                                              " c"                   \
                                                                                              "oa"                   \
                                                                                              "le"                   \
                                                                                              "sc"                   \
                                                                                              "e("                   \
                                                                                              "js"                   \
                                                                                              "on"                   \
                                                                                              "_a"                   \
                                                                                              "gg"                   \
                                                                                              "(j"                   \
                                                                                              "so"                   \
                                                                                              "n_"                   \
                                                                                              "bu"                   \
                                                                                              "il"                   \
                                                                                              "d_"                   \
                                                                                              "ob"                   \
                                                                                              "je"                   \
                                                                                              "ct"                   \
                                                                                              "("                    \
                                                                                              "'a"                   \
                                                                                              "li"                   \
                                                                                              "as"                   \
                                                                                              "',"                   \
                                                                                              " l"                   \
                                                                                              ".n"                   \
                                                                                              "am"                   \
                                                                                              "e,"                   \
                                                                                              " '"                   \
                                                                                              "ve"                   \
                                                                                              "rs"                   \
                                                                                              "io"                   \
                                                                                              "n'"                   \
                                                                                              ", "                   \
                                                                                              "n."                   \
                                                                                              "nu"                   \
                                                                                              "mb"                   \
                                                                                              "er"                   \
                                                                                              "::"                   \
                                                                                              "te"                   \
                                                                                              "xt"                   \
                                                                                              ") "                   \
                                                                                              "OR"                   \
                                                                                              "DE"                   \
                                                                                              "R "                   \
                                                                                              "BY"                   \
                                                                                              " l"                   \
                                                                                              ".n"                   \
                                                                                              "am"                   \
                                                                                              "e)"                   \
                                                                                              ", "                   \
                                                                                              "'["                   \
                                                                                              "]'"                   \
                                                                                              ") "                   \
                                                                                              "FR"                   \
                                                                                              "OM"                   \
                                                                                              " a"                   \
                                                                                              "li"                   \
                                                                                              "as"                   \
                                                                                              " l"                   \
                                                                                              " J"                   \
                                                                                              "OI"                   \
                                                                                              "N "                   \
                                                                                              "ve"                   \
                                                                                              "rs"                   \
                                                                                              "io"                   \
                                                                                              "n "                   \
                                                                                              "n "                   \
                                                                                              "ON"                   \
                                                                                              " n"                   \
                                                                                              ".t"                   \
                                                                                              "en"                   \
                                                                                              "an"                   \
                                                                                              "t_"                   \
                                                                                              "id"                   \
                                                                                              " ="                   \
                                                                                              " l"                   \
                                                                                              ".t"                   \
                                                                                              "en"                   \
                                                                                              "an"                   \
                                                                                              "t_"                   \
                                                                                              "id"                   \
                                                                                              " A"                   \
                                                                                              "ND"                   \
                                                                                              " n"                   \
                                                                                              ".i"                   \
                                                                                              "d "                   \
                                                                                              "= "                   \
                                                                                              "l."                   \
                                                                                              "ve"                   \
                                                                                              "rs"                   \
                                                                                              "io"                   \
                                                                                              "n_"                   \
                                                                                              "id"                   \
                                                                                              " W"                   \
                                                                                              "HE"                   \
                                                                                              "RE"                   \
                                                                                              " l"                   \
                                                                                              ".t"                   \
                                                                                              "en"                   \
                                                                                              "an"                   \
                                                                                              "t_"                   \
                                                                                              "id"                   \
                                                                                              " ="                   \
                                                                                              " a"                   \
                                                                                              ".t"                   \
                                                                                              "en"                   \
                                                                                              "an"                   \
                                                                                              "t_"                   \
                                                                                              "id"                   \
                                                                                              " A"                   \
                                                                                              "ND"                   \
                                                                                              " l"                   \
                                                                                              ".a"                   \
                                                                                              "ss"                   \
                                                                                              "et"                   \
                                                                                              "_i"                   \
                                                                                              "d "                   \
                                                                                              "= "                   \
                                                                                              "a."                   \
                                                                                              "id"                   \
                                                                                              " A"                   \
                                                                                              "ND"                   \
                                                                                              " " ALIAS_HOLDS        \
                                                                                              "),"                   \
                                                                                              " '"                   \
                                                                                              "la"                   \
                                                                                              "te"                   \
                                                                                              "st"                   \
                                                                                              "_v"                   \
                                                                                              "er"                   \
                                                                                              "si"                   \
                                                                                              "on"                   \
                                                                                              "s'"                   \
                                                                                              ", "                   \
                                                                                              "(S"                   \
                                                                                              "EL"                   \
                                                                                              "EC"                   \
                                                                                              "T "                   \
                                                                                              "co"                   \
                                                                                              "al"                   \
                                                                                              "es"                   \
                                                                                              "ce"                   \
                                                                                              "(j"                   \
                                                                                              "so"                   \
                                                                                              "n_"                   \
                                                                                              "ag"                   \
                                                                                              "g"                    \
                                                                                              "(" MODEL_VERSION_JSON \
                                                                                              "),"                   \
                                                                                              " '"                   \
                                                                                              "[]"                   \
                                                                                              "')"                   \
                                                                                              " F"                   \
                                                                                              "RO"                   \
                                                                                              "M "                   \
                                                                                              "("                    \
                                                                                              "SE"                   \
                                                                                              "LE"                   \
                                                                                              "CT"                   \
                                                                                              " w"                   \
                                                                                              ".*"                   \
                                                                                              " F"                   \
                                                                                              "RO"                   \
                                                                                              "M "                   \
                                                                                              "ve"                   \
                                                                                              "rs"                   \
                                                                                              "io"                   \
                                                                                              "n "                   \
                                                                                              "w "                   \
                                                                                              "WH"                   \
                                                                                              "ER"                   \
                                                                                              "E "                   \
                                                                                              "w."                   \
                                                                                              "te"                   \
                                                                                              "na"                   \
                                                                                              "nt"                   \
                                                                                              "_i"                   \
                                                                                              "d "                   \
                                                                                              "= "                   \
                                                                                              "a."                   \
                                                                                              "te"                   \
                                                                                              "na"                   \
                                                                                              "nt"                   \
                                                                                              "_i"                   \
                                                                                              "d "                   \
                                                                                              "AN"                   \
                                                                                              "D "                   \
                                                                                              "w."                   \
                                                                                              "as"                   \
                                                                                              "se"                   \
                                                                                              "t_"                   \
                                                                                              "id"                   \
                                                                                              " ="                   \
                                                                                              " a"                   \
                                                                                              ".i"                   \
                                                                                              "d"                    \
                                                                                              " A"                   \
                                                                                              "ND"                   \
                                                                                              " w"                   \
                                                                                              ".s"                   \
                                                                                              "ta"                   \
                                                                                              "te"                   \
                                                                                              " ="                   \
                                                                                              " '"                   \
                                                                                              "re"                   \
                                                                                              "ad"                   \
                                                                                              "y'"                   \
                                                                                              " O"                   \
                                                                                              "RD"                   \
                                                                                              "ER"                   \
                                                                                              " B"                   \
                                                                                              "Y "                   \
                                                                                              "w."                   \
                                                                                              "nu"                   \
                                                                                              "mb"                   \
                                                                                              "er"                   \
                                                                                              " D"                   \
                                                                                              "ES"                   \
                                                                                              "C "                   \
                                                                                              "LI"                   \
                                                                                              "MI"                   \
                                                                                              "T "                   \
                                                                                              "1)"                   \
                                                                                              " v"                   \
                                                                                              "))"

MUST_CHECK enum err registered_model_get(struct db *db, const char *project_id, const char *name,
                                         const char **json);
/* {"model_versions":[…]}: the newest, or none. */
MUST_CHECK enum err registered_model_latest(struct db *db, const char *project_id, const char *name,
                                            const char **json);
/* {"model_version":…} of a version by its id. */
MUST_CHECK enum err model_version_show(struct db *db, const char *version_id, const char **json);

/* The request for that promotion that waits for decisions; ERR_NOT_FOUND for none. */
MUST_CHECK enum err promotion_pending(struct db *db, const char *version_id, const char *alias,
                                      const char **approval_id);

#endif
