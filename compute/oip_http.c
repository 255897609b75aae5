/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/handlers.h"

#include "auth/auth.h"
#include "compute/oip.h"
#include "compute/serving.h"
#include "lineage/graph/provenance.h"

#include <string.h>

/* What the endpoint serves now; the path's model, if any, must be it. */
static enum err find_target(struct request *rq, struct target *t)
{
    request_object(rq, "endpoints/%s", rq->args[1]);
    TRY(endpoint_target(rq, auth_project_id(rq), rq->args[1], t));
    if (rq->args[2] != NULL && strcmp(rq->args[2], t->model) != 0)
        return ERR_NOT_FOUND;
    request_set_header(rq, "Chancery-Deployment", t->deployment_id);
    request_set_header(rq, "Chancery-Model", t->version);
    return OK;
}

static const char *version_number(const struct target *t)
{
    const char *slash = strrchr(t->version, '/');

    return slash == NULL ? t->version : slash + 1;
}

/* GET /serve/{project}/{endpoint}/v2 */
enum err get_oip_server(struct request *rq)
{
    return request_reply_json(
        rq, json_pack("{s:s, s:s, s:[]}", "name", "chancery", "version", "2", "extensions"));
}

/* GET /serve/{project}/{endpoint}/v2/health/live */
enum err get_oip_live(struct request *rq)
{
    struct endpoint e;

    TRY(endpoint_find(rq->db, auth_project_id(rq), rq->args[1], &e));
    return request_reply_json(rq, json_pack("{s:b}", "live", 1));
}

static enum err reply_ready(struct request *rq, const char *model)
{
    struct target t;
    json_t *ready;

    TRY(find_target(rq, &t));
    TRY(serving_describe(rq, &t, &ready));
    return request_reply_json(rq, json_pack("{s:s*, s:b}", "name", model, "ready", 1));
}

/* GET /serve/{project}/{endpoint}/v2/health/ready */
enum err get_oip_ready(struct request *rq)
{
    return reply_ready(rq, NULL);
}

/* GET /serve/{project}/{endpoint}/v2/models/{model}/ready */
enum err get_oip_model_ready(struct request *rq)
{
    return reply_ready(rq, rq->args[2]);
}

/* GET /serve/{project}/{endpoint}/v2/models/{model} */
enum err get_oip_model(struct request *rq)
{
    struct target t;
    json_t *ready;

    TRY(find_target(rq, &t));
    TRY(serving_describe(rq, &t, &ready));
    return request_reply_json(rq, oip_metadata(ready, t.model, version_number(&t)));
}

static const char *digest_text(struct request *rq, const void *bytes, size_t length)
{
    const struct digest d = sha256_of(bytes == NULL ? "" : bytes, length);
    char *text = arena_alloc(rq->arena, 2 * SHA256_SIZE + 1);

    hex_encode(d.bytes, SHA256_SIZE, text);
    return text;
}

/* A prediction leaves a trace: a node below its deployment, and in the audit entry the digests of
 * what was asked and answered, so that a decision can be tied to exactly this model. */
static enum err trace(struct request *rq, const struct target *t, int64_t rows)
{
    const char *name = arena_printf(rq->arena, "projects/%s/predictions/%s", rq->args[0], rq->id);

    request_audit(rq, "deployment", json_string(t->deployment_id));
    request_audit(rq, "model", json_string(t->version));
    request_audit(rq, "rows", json_integer(rows));
    request_audit(rq, "question_sha256", json_string(digest_text(rq, rq->raw, rq->raw_length)));
    request_audit(rq, "answer_sha256",
                  json_string(digest_text(rq, rq->reply.bytes, rq->reply.length)));
    request_set_header(rq, "Chancery-Prediction", name);
    TRY(provenance_node(rq->db, "prediction", name, rq->args[0], NULL));
    return provenance_edge(rq->db,
                           arena_printf(rq->arena, "projects/%s/endpoints/%s/deployments/%s",
                                        rq->args[0], rq->args[1], t->deployment_id),
                           name, "predict", rq->id);
}

static void release_frame(void *frame)
{
    frame_free(frame);
}

/* POST /serve/{project}/{endpoint}/v2/models/{model}/infer */
enum err post_oip_infer(struct request *rq)
{
    struct frame *answer = arena_alloc(rq->arena, sizeof(*answer));
    struct oip_request question;
    struct target t;
    json_t *ready;
    json_t *reply;

    arena_own(rq->arena, answer, release_frame);
    TRY(find_target(rq, &t));
    TRY(serving_describe(rq, &t, &ready));
    TRY(oip_read(rq, ready, &question));
    TRY(serving_ask(rq, &t, &question.frame, answer));
    reply = oip_answer(answer, t.model, version_number(&t), question.id);
    if (reply == NULL)
        return fail(rq, ERR_ENGINE, "the engine's answer is not well formed");
    TRY(request_reply_json(rq, reply));
    return trace(rq, &t, question.rows);
}
