/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/serving.h"

#include "compute/job_end.h"
#include "compute/launch.h"
#include "core/log.h"
#include "registry/blob.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SLOTS = 32, READY_MS = 30000, ANSWER_MS = 10000 };

/* The engine of one model file. pool.lock guards which file a slot is for and who uses it; the
 * slot's own lock is held while talking to the engine. */
struct slot {
    pthread_mutex_t lock;
    char tenant_id[ID_SIZE];
    char sha256[2 * SHA256_SIZE + 1]; /* "" for a slot nobody ever used */
    unsigned users;
    int64_t used_ms;
    bool alive;
    struct engine engine;
    json_t *ready;
};

static struct {
    pthread_mutex_t lock;
    struct slot slots[SLOTS];
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void release_json(void *json)
{
    json_decref(json);
}

enum err serving_start(const struct service *service)
{
    (void)service;
    for (size_t i = 0; i < SLOTS; i++)
        pthread_mutex_init(&pool.slots[i].lock, NULL);
    return OK;
}

static void put_out(struct slot *s)
{
    if (s->alive)
        engine_kill(&s->engine);
    s->alive = false;
    json_decref(s->ready);
    s->ready = NULL;
}

void serving_stop(void)
{
    for (size_t i = 0; i < SLOTS; i++) {
        put_out(&pool.slots[i]);
        pool.slots[i].sha256[0] = '\0';
        pthread_mutex_destroy(&pool.slots[i].lock);
    }
}

static bool is_for(const struct slot *s, const char *tenant_id, const char *sha256)
{
    return strcmp(s->sha256, sha256) == 0 && strcmp(s->tenant_id, tenant_id) == 0;
}

/* The slot of a file, or the one least recently used by nobody; NULL when all are in use. */
static struct slot *take(const char *tenant_id, const char *sha256)
{
    struct slot *chosen = NULL;

    pthread_mutex_lock(&pool.lock);
    for (size_t i = 0; i < SLOTS; i++) {
        struct slot *s = &pool.slots[i];

        if (is_for(s, tenant_id, sha256)) {
            chosen = s;
            break;
        }
        if (s->users == 0 && (chosen == NULL || s->used_ms < chosen->used_ms))
            chosen = s;
    }
    if (chosen != NULL && !is_for(chosen, tenant_id, sha256)) {
        put_out(chosen); /* nobody uses it, so nobody holds its lock */
        (void)snprintf(chosen->tenant_id, sizeof(chosen->tenant_id), "%s", tenant_id);
        (void)snprintf(chosen->sha256, sizeof(chosen->sha256), "%s", sha256);
    }
    if (chosen != NULL)
        chosen->users++;
    pthread_mutex_unlock(&pool.lock);
    return chosen;
}

static void give_back(struct slot *s)
{
    pthread_mutex_lock(&pool.lock);
    s->users--;
    s->used_ms = time_steady_ms();
    pthread_mutex_unlock(&pool.lock);
}

/* Only the bytes that were approved are ever loaded. */
static enum err open_model(struct request *rq, const struct slot *s, int *fd)
{
    char have[2 * SHA256_SIZE + 1];
    struct digest digest;

    TRY(blob_open(s->tenant_id, s->sha256, fd));
    TRY(digest_of_file(*fd, &digest));
    hex_encode(digest.bytes, SHA256_SIZE, have);
    if (strcmp(have, s->sha256) == 0)
        return OK;
    log_ours("the stored bytes of a model are not what they were: %s", s->sha256);
    return fail(rq, ERR_UNAVAILABLE, "the stored bytes of the model do not have their digest");
}

static enum err await_ready(struct request *rq, struct slot *s)
{
    struct frame f = {.json = NULL};
    enum err e = frame_read(s->engine.control, &f, READY_MS);
    json_t *event = e == OK ? json_loadb(f.json, f.json_length, 0, NULL) : NULL;
    const char *kind = json_string_value(json_object_get(event, "event"));
    const char *message = json_string_value(json_object_get(event, "message"));

    frame_free(&f);
    if (kind != NULL && strcmp(kind, "ready") == 0) {
        s->ready = event;
        return OK;
    }
    if (message != NULL)
        e = fail(rq, ERR_UNAVAILABLE, "the model cannot be served: %s", message);
    json_decref(event);
    return e == OK ? ERR_ENGINE : e;
}

/* With the slot's lock held. */
static enum err light(struct request *rq, struct slot *s)
{
    int fd = -1;
    enum err e;

    if (s->alive)
        return OK;
    e = open_model(rq, s, &fd);
    if (e == OK)
        e = launch(&s->engine,
                   &(struct launch){.mode = "serve", .input = -1, .output = -1, .model = fd});
    if (fd >= 0)
        (void)close(fd);
    if (e != OK)
        return e;
    s->alive = true;
    e = await_ready(rq, s);
    if (e != OK)
        put_out(s);
    return e;
}

/* The engine answers {"event":"error"} for a question it will not take. */
static enum err refused(struct request *rq, const struct frame *answer)
{
    json_t *head = json_loadb(answer->json, answer->json_length, 0, NULL);
    const char *event = json_string_value(json_object_get(head, "event"));
    const char *message = json_string_value(json_object_get(head, "message"));
    enum err e = head == NULL ? ERR_ENGINE : OK;

    if (event != NULL)
        e = fail(rq, ERR_INVALID, "%s", message == NULL ? "the model refused the input" : message);
    json_decref(head);
    return e;
}

static enum err ask_once(struct request *rq, struct slot *s, const struct frame *question,
                         struct frame *answer)
{
    enum err e = light(rq, s);

    if (e != OK)
        return e;
    e = frame_write(s->engine.control, question, ANSWER_MS);
    if (e == OK)
        e = frame_read(s->engine.control, answer, ANSWER_MS);
    if (e == OK)
        return refused(rq, answer);
    put_out(s);
    return e == ERR_TIMEOUT ? ERR_TIMEOUT : ERR_ENGINE;
}

enum err serving_ask(struct request *rq, const struct target *target, const struct frame *question,
                     struct frame *answer)
{
    struct slot *s = take(rq->caller.tenant_id, target->sha256);
    enum err e;

    if (s == NULL)
        return fail(rq, ERR_BUSY, "%d models are being asked at once; try again later", SLOTS);
    pthread_mutex_lock(&s->lock);
    e = ask_once(rq, s, question, answer);
    if (e == ERR_ENGINE)
        e = ask_once(rq, s, question, answer);
    pthread_mutex_unlock(&s->lock);
    give_back(s);
    return e;
}

enum err serving_describe(struct request *rq, const struct target *target, json_t **ready)
{
    struct slot *s = take(rq->caller.tenant_id, target->sha256);
    enum err e;

    if (s == NULL)
        return fail(rq, ERR_BUSY, "%d models are being asked at once; try again later", SLOTS);
    pthread_mutex_lock(&s->lock);
    e = light(rq, s);
    if (e == ERR_ENGINE)
        e = light(rq, s);
    *ready = e == OK ? json_deep_copy(s->ready) : NULL;
    pthread_mutex_unlock(&s->lock);
    give_back(s);
    arena_own(rq->arena, *ready, release_json);
    return e;
}
