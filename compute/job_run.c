/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/job_run.h"

#include "compute/job_end.h"
#include "compute/runner.h"
#include "compute/work.h"
#include "core/log.h"
#include "registry/blob.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SAY_MS = 500, BEAT_MS = 2000, JOB_LIMIT_MS = 6 * 3600 * 1000 };

static void forget_arena(struct run *r)
{
    arena_free(r->tick_arena);
    r->tick_arena = NULL;
}

struct beat {
    struct run *run;
    double progress;
    const char *message;
    bool say;
    bool go;
};

static enum err beat_body(void *arg)
{
    struct beat *b = arg;

    if (b->say)
        TRY(job_say(b->run->db, b->run->claim->id, "progress",
                    json_pack("{s:f, s:s}", "fraction", b->progress, "message", b->message)));
    return job_beat(b->run->db, b->run->claim->id, JOB_LEASE_SECONDS, b->progress, b->message,
                    &b->go);
}

static void remember(struct run *r, const json_t *progress)
{
    const char *message = json_string_value(json_object_get(progress, "message"));

    r->progress = json_number_value(json_object_get(progress, "fraction"));
    r->message = arena_text(r->arena, message == NULL ? "" : message);
}

/* Tell how far it is, keep the lease, and hear whether to go on. The database may be away for a
 * while: the lease decides then. */
static bool tick(void *state, const json_t *progress)
{
    struct run *r = state;
    int64_t now = time_steady_ms();
    struct arena *mine = r->db->arena;
    struct beat b = {.run = r, .go = true};
    enum err e;

    if (progress != NULL)
        remember(r, progress);
    b.say = progress != NULL && now - r->said_ms >= SAY_MS;
    if (runner_stopping())
        return false;
    if (!b.say && now - r->beat_ms < BEAT_MS)
        return true;
    b.progress = r->progress;
    b.message = r->message;
    r->db->arena = r->tick_arena = arena_new();
    e = db_tx(r->db, TX_WRITE, r->claim->tenant_id, beat_body, &b);
    r->db->arena = mine;
    forget_arena(r);
    if (e == OK)
        r->beat_ms = now;
    if (b.say)
        r->said_ms = now;
    r->lost = e == ERR_NOT_FOUND || now - r->beat_ms > (JOB_LEASE_SECONDS - 2) * INT64_C(1000);
    return !r->lost && (e != OK || b.go);
}

/* The store must still hold the bytes it names: what is trained on is what was approved. */
static enum err open_checked(struct run *r, const char *sha256, const char *what, int *fd)
{
    char have[2 * SHA256_SIZE + 1];
    struct digest digest;

    if (sha256 == NULL) {
        r->why = arena_printf(r->arena, "%s has no file to read", what);
        return ERR_CONTENT;
    }
    TRY(blob_open(r->claim->tenant_id, sha256, fd));
    TRY(digest_of_file(*fd, &digest));
    hex_encode(digest.bytes, SHA256_SIZE, have);
    if (strcmp(have, sha256) == 0)
        return OK;
    log_ours("the stored bytes of %s are not what they were: %s", what, sha256);
    r->why = arena_printf(r->arena, "the stored bytes of %s do not have their digest", what);
    return ERR_CONTENT;
}

static enum err open_files(struct run *r)
{
    const struct job_work *w = &r->work;

    TRY(open_checked(r, w->input_sha256, w->input, &r->input));
    if (w->model != NULL)
        TRY(open_checked(r, w->model_sha256, w->model, &r->model));
    r->output_path =
        arena_printf(r->arena, "%s/jobs/%s.%lld", r->service->home, w->id, (long long)w->attempts);
    r->output = open(r->output_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    return r->output < 0 ? ERR_STORAGE : OK;
}

static json_t *engine_spec(const struct run *r)
{
    static const char *const members[] = {"trainer", "target", "features",      "seed",
                                          "l2",      NULL,     "test_fraction", "max_iterations"};
    json_t *spec = json_object();

    if (strcmp(r->work.kind, "predict") == 0) {
        json_object_set_new(spec, "columns_out", json_string("append"));
        return spec;
    }
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        if (members[i] != NULL && json_object_get(r->work.spec, members[i]) != NULL)
            json_object_set(spec, members[i], json_object_get(r->work.spec, members[i]));
    return spec;
}

static enum err compute(struct run *r)
{
    json_t *spec = engine_spec(r);
    const struct work work = {.mode = r->work.kind,
                              .input = r->input,
                              .output = r->output,
                              .model = r->model,
                              .spec = spec,
                              .limit_ms = JOB_LIMIT_MS,
                              .tick = tick,
                              .state = r};
    enum err e = work_run(r->arena, &work, &r->done, &r->why);

    json_decref(spec);
    return e;
}

/* A predicted table is a dataset, and a dataset has a profile. */
static enum err describe(struct run *r)
{
    const struct work work = {.mode = "profile",
                              .input = r->output,
                              .output = -1,
                              .model = -1,
                              .limit_ms = JOB_LIMIT_MS,
                              .tick = tick,
                              .state = r};

    if (strcmp(r->work.kind, "predict") != 0)
        return OK;
    if (lseek(r->output, 0, SEEK_SET) != 0)
        return ERR_INTERNAL;
    return work_run(r->arena, &work, &r->profile, &r->why);
}

static void close_files(struct run *r)
{
    const int files[] = {r->input, r->model, r->output};

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        if (files[i] >= 0)
            (void)close(files[i]);
    if (r->output_path != NULL)
        (void)unlink(r->output_path);
}

static enum err load_body(void *arg)
{
    struct run *r = arg;

    return job_work_load(r->db, r->claim->id, &r->work);
}

static enum err perform(struct run *r)
{
    TRY(db_tx(r->db, TX_POINT, r->claim->tenant_id, load_body, r));
    TRY(open_files(r));
    TRY(compute(r));
    TRY(describe(r));
    return job_succeed(r);
}

void job_run(struct db *db, const struct service *service, const struct claim *claim)
{
    struct run r = {.db = db,
                    .service = service,
                    .claim = claim,
                    .arena = arena_new(),
                    .input = -1,
                    .output = -1,
                    .model = -1,
                    .message = "",
                    .beat_ms = time_steady_ms()};
    enum err e;

    db->arena = r.arena;
    e = perform(&r);
    if (e != OK)
        job_give_up(&r, e);
    close_files(&r);
    json_decref(r.done);
    json_decref(r.profile);
    db->arena = NULL;
    arena_free(r.arena);
}
