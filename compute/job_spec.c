/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/job_spec.h"

#include "auth/auth.h"
#include "compute/endpoint.h"
#include "compute/handlers.h"
#include "lineage/canonical.h"
#include "registry/asset.h"
#include "registry/share.h"
#include "registry/source.h"

#include <math.h>
#include <string.h>

enum { SPEC_MAX = 256 << 10 };

struct job_post {
    const char *kind;
    const char *input;
    const char *output;
    const char *model;
    const char *trainer;
    const char *target;
    struct texts features;
    int64_t seed;
    double test_fraction;
    double l2;
    int64_t max_iterations;
    json_t *code; /* the commit that asks for it, or NULL */
};

static const char *const kinds[] = {"train", "predict", NULL};
static const char *const trainers[] = {"logistic", "ridge", NULL};

const struct field job_post_fields[] = {
    CHOICE(struct job_post, kind, kinds),
    TEXT(struct job_post, input, 200),
    TEXT(struct job_post, output, 100),
    OPT_TEXT(struct job_post, model, 200),
    OPT_CHOICE(struct job_post, trainer, trainers),
    OPT_TEXT(struct job_post, target, 500),
    OPT_TEXTS(struct job_post, features, 10000),
    OPT_INT(struct job_post, seed, 0, INT32_MAX),
    OPT_REAL(struct job_post, test_fraction),
    OPT_REAL(struct job_post, l2),
    OPT_INT(struct job_post, max_iterations, 1, 100000),
    OPT_OBJECT(struct job_post, code),
    FIELDS_END,
};

static void release_json(void *json)
{
    json_decref(json);
}

static enum err refuse(struct request *rq, const char *member, const char *why)
{
    rq->target = member;
    return fail(rq, ERR_INVALID, "%s %s", member, why);
}

/* "models/risk": where the output goes. */
static enum err check_output(struct request *rq, const struct job_post *post, const char *kind)
{
    size_t prefix = strlen(kind);

    if (strncmp(post->output, kind, prefix) != 0 || !name_valid(post->output + prefix))
        return refuse(rq, "output", arena_printf(rq->arena, "must be %sNAME", kind));
    return OK;
}

static bool has_column(const json_t *columns, const char *name)
{
    size_t i;
    json_t *column;

    json_array_foreach(columns, i, column)
    {
        const char *have = json_string_value(json_object_get(column, "name"));

        if (have != NULL && strcmp(have, name) == 0)
            return true;
    }
    return false;
}

static enum err check_columns(struct request *rq, const struct job_post *post,
                              const json_t *manifest)
{
    const json_t *columns = json_object_get(manifest, "columns");

    if (!json_is_array(columns))
        return refuse(rq, "input", "is not a table: it has no CSV file");
    if (!has_column(columns, post->target))
        return refuse(rq, "target",
                      arena_printf(rq->arena, "names no column of the input: %s", post->target));
    for (size_t i = 0; i < post->features.count; i++) {
        const char *name = post->features.items[i];

        if (!has_column(columns, name) || strcmp(name, post->target) == 0)
            return refuse(rq, "features", arena_printf(rq->arena, "cannot have %s in it", name));
    }
    return OK;
}

static enum err check_numbers(struct request *rq, const struct job_post *post)
{
    if (!(post->test_fraction >= 0 && post->test_fraction <= 0.9))
        return refuse(rq, "test_fraction", "must be between 0 and 0.9");
    if (!(post->l2 >= 0 && isfinite(post->l2)))
        return refuse(rq, "l2", "must not be negative");
    return OK;
}

/* What the caller may not see is not there; and a job reads no content for whoever may read that
 * of the project, but not of this. */
static bool may_use(struct request *rq, const char *asset)
{
    return auth_may_asset(rq, ASSET_READ, asset) &&
           (auth_may_asset(rq, FILE_READ, asset) || !auth_may(rq, FILE_READ, rq->args[0]));
}

static enum err find_own(struct request *rq, const char *path, struct version *out)
{
    TRY(version_find(rq->db, auth_project_id(rq), path, out));
    return may_use(rq, asset_path(rq->arena, out->kind, out->asset)) ? OK : ERR_NOT_FOUND;
}

/* "datasets/x/versions/1", or "projects/other/datasets/x/versions/1" for what is shared. */
static enum err find_version(struct request *rq, const char *path, struct version *out)
{
    const char *own = strncmp(path, "projects/", 9) == 0 ? strchr(path + 9, '/') : NULL;

    if (own == NULL)
        return find_own(rq, path, out);
    if (strcmp(arena_copy(rq->arena, path + 9, (size_t)(own - path - 9)), rq->args[0]) == 0)
        return find_own(rq, own + 1, out);
    return share_find_version(rq, path, out);
}

/* As this project says it. */
static const char *path_here(struct request *rq, const struct version *v)
{
    return strcmp(v->project, rq->args[0]) == 0 ? version_path(rq->arena, v)
                                                : version_node(rq->arena, v);
}

static enum err find_input(struct request *rq, const char *member, const char *path,
                           const char *kind, struct version *out)
{
    enum err e = find_version(rq, path, out);

    if (e == ERR_NOT_FOUND || (e == OK && strcmp(out->kind, kind) != 0))
        return refuse(rq, member, arena_printf(rq->arena, "names no version of a %s here", kind));
    TRY(e);
    if (strcmp(out->state, "ready") != 0)
        return refuse(rq, member, arena_printf(rq->arena, "is %s, not ready", out->state));
    return OK;
}

static json_t *reference(struct request *rq, const struct version *v)
{
    return json_pack("{s:s, s:s}", "version", path_here(rq, v), "digest", v->digest);
}

static enum err plan_train(struct request *rq, const struct job_post *post, struct job_plan *plan)
{
    json_t *features = NULL;

    if (post->trainer == NULL)
        return refuse(rq, "trainer", "is missing");
    if (post->target == NULL)
        return refuse(rq, "target", "is missing");
    if (post->model != NULL)
        return refuse(rq, "model", "belongs to jobs of kind predict");
    TRY(check_output(rq, post, "models/"));
    TRY(check_numbers(rq, post));
    TRY(check_columns(rq, post, plan->input.manifest));
    if (post->features.count > 0)
        features = json_array();
    for (size_t i = 0; i < post->features.count; i++)
        json_array_append_new(features, json_string(post->features.items[i]));
    plan->spec =
        json_pack("{s:s, s:o, s:s, s:s, s:s, s:o*, s:I, s:f, s:f, s:I, s:O*}", "kind", "train",
                  "input", reference(rq, &plan->input), "output", post->output, "trainer",
                  post->trainer, "target", post->target, "features", features, "seed",
                  (json_int_t)post->seed, "test_fraction", post->test_fraction, "l2", post->l2,
                  "max_iterations", (json_int_t)post->max_iterations, "code", post->code);
    return OK;
}

static enum err plan_predict(struct request *rq, const struct job_post *post, struct job_plan *plan)
{
    const char *approval;

    if (post->model == NULL)
        return refuse(rq, "model", "is missing");
    if (post->trainer != NULL || post->target != NULL || post->features.count > 0)
        return refuse(rq, "trainer, target and features", "belong to jobs of kind train");
    TRY(check_output(rq, post, "datasets/"));
    TRY(find_input(rq, "model", post->model, "model", &plan->model));
    if (!json_is_array(json_object_get(plan->input.manifest, "columns")))
        return refuse(rq, "input", "is not a table: it has no CSV file");
    if (approval_in_force(rq->db, plan->model.id, &approval) != OK)
        return fail(rq, ERR_UNAPPROVED, "%s has no approval in force; ask for its promotion first",
                    post->model);
    plan->spec = json_pack("{s:s, s:o, s:o, s:s, s:O*}", "kind", "predict", "input",
                           reference(rq, &plan->input), "model", reference(rq, &plan->model),
                           "output", post->output, "code", post->code);
    return OK;
}

static enum err seal_spec(struct request *rq, struct job_plan *plan)
{
    struct text canonical = text_new(SPEC_MAX);
    enum err e;

    if (plan->spec == NULL)
        return fail(rq, ERR_INVALID, "the specification is not valid text");
    arena_own(rq->arena, plan->spec, release_json);
    e = canonical_json(plan->spec, &canonical);
    if (e == OK)
        plan->digest = sha256_of(canonical.data, canonical.length);
    text_free(&canonical);
    return e == OK ? OK : fail(rq, ERR_TOO_LARGE, "the specification is over %d bytes", SPEC_MAX);
}

enum err job_plan_read(struct request *rq, struct job_plan *out)
{
    struct job_post post = {.test_fraction = 0.2, .l2 = 1.0, .max_iterations = 200};

    const char *commit;

    *out = (struct job_plan){.spec = NULL};
    TRY(request_read(rq, &post));
    out->trains = strcmp(post.kind, "train") == 0;
    if (post.code != NULL)
        TRY(source_code(rq, "code", post.code, &commit));
    TRY(find_input(rq, "input", post.input, "dataset", &out->input));
    TRY(out->trains ? plan_train(rq, &post, out) : plan_predict(rq, &post, out));
    return seal_spec(rq, out);
}

json_t *job_plan_evidence(struct request *rq, const struct job_plan *plan)
{
    json_t *evidence =
        json_pack("{s:O, s:{s:s, s:s, s:O*, s:O*}}", "spec", plan->spec, "dataset", "version",
                  path_here(rq, &plan->input), "digest", plan->input.digest, "rows",
                  json_object_get(plan->input.manifest, "rows"), "columns",
                  json_object_get(plan->input.manifest, "columns"));

    arena_own(rq->arena, evidence, release_json);
    return evidence;
}
