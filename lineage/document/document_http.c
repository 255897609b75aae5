/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/canonical.h"
#include "lineage/document/dsse.h"
#include "lineage/document/record.h"
#include "lineage/graph/answer.h"
#include "lineage/log.h"
#include "lineage/routes.h"

#include <string.h>

enum { DOCUMENT_MAX = 16 << 20, NUMBER_MAX = INT32_MAX };

enum form { FORM_JSON, FORM_SIGNED, FORM_PAGE };

static const struct kind {
    const char *name;
    const char *type;
    enum form form;
    json_t *(*make)(struct document *d);
} kinds[] = {
    {"cyclonedx", "application/vnd.cyclonedx+json; version=1.6", FORM_JSON, document_cyclonedx},
    {"spdx", "application/spdx+json", FORM_JSON, document_spdx},
    {"provenance", "application/vnd.dsse.envelope.v1+json", FORM_SIGNED, document_slsa},
    {"approval", "application/vnd.dsse.envelope.v1+json", FORM_SIGNED, document_approval},
    {"dossier.json", "application/json", FORM_JSON, document_dossier},
    {"dossier.html", "text/html; charset=utf-8", FORM_PAGE, document_dossier},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static const struct kind *kind_named(const char *name)
{
    for (size_t i = 0; i < KINDS; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

static void release_json(void *json)
{
    json_decref(json);
}

/* Nothing is left out in silence: what is not on record is named, all of it. */
static enum err lacking(struct request *rq, const json_t *missing)
{
    const char *list = "";

    for (size_t i = 0; i < json_array_size(missing); i++)
        list = arena_printf(rq->arena, "%s%s%s", list, i == 0 ? "" : "; ",
                            json_string_value(json_array_get(missing, i)));
    return fail(rq, ERR_CONTENT, "not on record: %s", list);
}

static enum err write(struct request *rq, const struct kind *k, const json_t *json,
                      struct text *out)
{
    json_t *envelope;

    if (k->form == FORM_PAGE) {
        dossier_html(json, out);
        return OK;
    }
    TRY(canonical_json(json, out));
    if (k->form == FORM_JSON)
        return OK;
    TRY(dsse_sign(rq->db, "application/vnd.in-toto+json", out, &envelope));
    arena_own(rq->arena, envelope, release_json);
    out->length = 0;
    return canonical_json(envelope, out);
}

/* A node of another project, which is shared with this one, is asked for where it belongs. */
static bool visible(struct request *rq, const char *node)
{
    const char *name = strncmp(node, "projects/", 9) == 0 ? node + 9 : rq->args[0];

    return question_may(rq, arena_copy(rq->arena, name, strcspn(name, "/")), node);
}

static bool all_visible(struct request *rq, const json_t *things)
{
    const json_t *thing;
    size_t i;

    json_array_foreach(things, i, thing)
    {
        if (!visible(rq, record_text(thing, "node")))
            return false;
    }
    return true;
}

/* GET /v1/projects/{project}/models/{name}/versions/{version}/documents/{document}: the same bytes
 * for the same record, by whatever name the service was reached: URLs are of the log's origin. */
enum err get_model_document(struct request *rq)
{
    const struct kind *k = kind_named(rq->args[3]);
    struct document d = {.arena = rq->arena, .missing = json_array()};
    struct text *out = answer_text(rq);
    uint64_t number;
    json_t *record, *json;
    struct log l;

    arena_own(rq->arena, d.missing, release_json);
    if (k == NULL || !uint_parse(rq->args[2], NUMBER_MAX, &number))
        return ERR_NOT_FOUND;
    request_object(rq, "models/%s/versions/%s", rq->args[1], rq->args[2]);
    TRY(record_of(rq->db, rq->args[0], rq->args[1], (int64_t)number, &record));
    if (!question_may(rq, rq->args[0], record_text(json_object_get(record, "version"), "node")))
        return ERR_NOT_FOUND;
    if (!all_visible(rq, json_object_get(record, "inputs")) ||
        !all_visible(rq, json_object_get(record, "sources")))
        return fail(rq, ERR_DENIED,
                    "it tells of things that made the model and are not yours to read");
    d.record = record;
    TRY(log_find(rq->db, &l));
    d.url = arena_printf(rq->arena, "https://%.*s", (int)strcspn(l.origin, "/"), l.origin);
    json = k->make(&d);
    arena_own(rq->arena, json, release_json);
    if (json_array_size(d.missing) > 0)
        return lacking(rq, d.missing);
    TRY(write(rq, k, json, out));
    if (out->failed)
        return fail(rq, ERR_TOO_LARGE, "the document is too large");
    return request_reply_bytes(rq, k->type, out->data, out->length);
}
