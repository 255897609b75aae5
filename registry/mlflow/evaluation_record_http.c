/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/evaluation_dataset.h"

#include "auth/auth.h"
#include "lineage/canonical.h"
#include "registry/file_http.h"
#include "registry/handlers.h"
#include "registry/mlflow/mlflow.h"
#include "registry/reply.h"

#include <string.h>

enum { INPUTS_MAX = 16 << 20, USUAL_PAGE = 1000 };

/* SHA-256 of the canonical inputs, in hexadecimal digits. */
static enum err hash_of(struct request *rq, const json_t *inputs, const char **out)
{
    struct text text = text_new(INPUTS_MAX);
    enum err e = canonical_json(inputs, &text);
    struct digest digest = sha256_of(text.data, e == OK ? text.length : 0);

    text_free(&text);
    if (e != OK)
        return mlflow_invalid(rq, "records", "nested too deeply");
    *out = hex_of(rq->arena, &digest);
    return OK;
}

static enum err check_members(struct request *rq, const json_t *record)
{
    static const char *const objects[] = {"expectations", "tags", "source"};

    if (!json_is_object(json_object_get(record, "inputs")))
        return mlflow_invalid(rq, "records", "with an item whose inputs are no object");
    for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
        const json_t *member = json_object_get(record, objects[i]);

        if (member != NULL && !json_is_null(member) && !json_is_object(member))
            return mlflow_invalid(rq, "records",
                                  arena_printf(rq->arena, "whose %s are no object", objects[i]));
    }
    return OK;
}

/* By hash, so that of records with the same inputs the last one counts. */
static enum err add_record(struct request *rq, json_t *by_hash, const json_t *record)
{
    static const char *const members[] = {"inputs", "outputs", "expectations", "tags", "source"};
    const char *hash = "";
    char id[ID_SIZE];
    json_t *kept;

    TRY(check_members(rq, record));
    TRY(hash_of(rq, json_object_get(record, "inputs"), &hash));
    id_new(id);
    kept = json_pack("{s:s, s:s}", "id", id, "hash", hash);
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        json_t *member = json_object_get(record, members[i]);

        if (member != NULL && !json_is_null(member))
            json_object_set(kept, members[i], member);
    }
    json_object_set_new(by_hash, hash, kept);
    return OK;
}

static enum err read_records(struct request *rq, json_t **out)
{
    json_t *by_hash = json_object();
    const json_t *record;
    const char *text;
    const char *hash;
    json_t *given;
    size_t i;

    arena_own(rq->arena, by_hash, json_release);
    *out = json_array();
    arena_own(rq->arena, *out, json_release);
    TRY(mlflow_need(rq, "records", INPUTS_MAX, &text));
    given = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    arena_own(rq->arena, given, json_release);
    if (!json_is_array(given) || json_array_size(given) > EVALUATION_RECORDS_MAX)
        return mlflow_invalid(rq, "records", "that is no JSON list of at most 10000 records");
    json_array_foreach(given, i, record) TRY(add_record(rq, by_hash, record));
    json_object_foreach(by_hash, hash, record) json_array_append(*out, (json_t *)record);
    return OK;
}

/* POST …/datasets/{dataset_id}/records */
enum err post_mlflow_evaluation_records(struct request *rq)
{
    const char *json = NULL;
    json_t *records;
    const char *id;

    TRY(evaluation_of_path(rq, &id));
    TRY(read_records(rq, &records));
    request_audit(rq, "records", json_integer((json_int_t)json_array_size(records)));
    TRY(evaluation_absent(
        rq, evaluation_upsert(rq->db, auth_project_id(rq), id, records, rq->caller.id, &json)));
    return mlflow_reply(rq, json);
}

/* GET …/datasets/{dataset_id}/records */
enum err get_mlflow_evaluation_records(struct request *rq)
{
    int64_t limit = USUAL_PAGE;
    const char *json = NULL;
    const char *after;
    const char *id;

    TRY(evaluation_of_path(rq, &id));
    TRY(mlflow_int(rq, "max_results", 1, EVALUATION_RECORDS_MAX, &limit));
    TRY(mlflow_text(rq, "page_token", 64, &after));
    if (after != NULL && !id_valid(after))
        return mlflow_invalid(rq, "page_token", after);
    TRY(evaluation_absent(
        rq, evaluation_records(rq->db, auth_project_id(rq), id, after, limit, &json)));
    return mlflow_reply(rq, json);
}

/* DELETE …/datasets/{dataset_id}/records */
enum err delete_mlflow_evaluation_records(struct request *rq)
{
    const char *json = NULL;
    struct texts records;
    const char *id;

    TRY(evaluation_of_path(rq, &id));
    TRY(mlflow_texts(rq, "dataset_record_ids", EVALUATION_RECORDS_MAX, &records));
    for (size_t i = 0; i < records.count; i++) {
        const char *text = records.items[i];

        if (strncmp(text, "dr-", 3) != 0 || mlflow_run_id(rq, text + 3, &records.items[i]) != OK)
            return mlflow_invalid(rq, "dataset_record_ids", text);
    }
    TRY(evaluation_absent(rq, evaluation_forget(rq->db, auth_project_id(rq), id, &records, &json)));
    return mlflow_reply(rq, json);
}
