/* SPDX-License-Identifier: Apache-2.0 */
/* chancery-engine: one job or one served model, in a process that can reach nothing but the four
 * descriptors it inherits. See README.md for what is said over them. */
#include "compute/engine/job.h"
#include "compute/engine/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FD_CONTROL = 3, FD_INPUT = 4, FD_OUTPUT = 5, FD_MODEL = 6 };

struct mode {
    const char *name;
    enum err (*run)(struct job *job, json_t *spec, json_t **done);
    bool input, output, model;
};

static enum err self_test(struct job *job, json_t *spec, json_t **done)
{
    static const char *const members[] = {NULL};

    TRY(json_only(spec, members, &job->why));
    *done = json_pack("{s:o}", "calls", sandbox_probe());
    return OK;
}

static const struct mode modes[] = {{"profile", mode_profile, true, false, false},
                                    {"train", mode_train, true, true, false},
                                    {"predict", mode_predict, true, true, true},
                                    {"serve", NULL, false, false, true},
                                    {"self-test", self_test, false, false, false}};

/* The descriptor when it is open on a regular file, else -1; its size while that can be asked. */
static int regular(int fd, size_t *size)
{
    struct stat st;

    *size = 0;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return -1;
    *size = (size_t)st.st_size;
    return fd;
}

static struct job open_job(void)
{
    struct job job = {.channel = {.fd = FD_CONTROL}, .pool = pool_new((size_t)-1 / 4)};
    size_t ignored;

    job.input = regular(FD_INPUT, &job.input_size);
    job.output = regular(FD_OUTPUT, &ignored);
    job.model = regular(FD_MODEL, &job.model_size);
    return job;
}

static enum err check_descriptors(struct job *job, const struct mode *m)
{
    if (m->input && job->input < 0)
        return refuse(&job->why, ERR_INVALID, "%s needs a table on descriptor %d", m->name,
                      FD_INPUT);
    if (m->output && job->output < 0)
        return refuse(&job->why, ERR_INVALID, "%s needs a file on descriptor %d", m->name,
                      FD_OUTPUT);
    if (m->model && job->model < 0)
        return refuse(&job->why, ERR_INVALID, "%s needs a model on descriptor %d", m->name,
                      FD_MODEL);
    return OK;
}

/* Reads the spec and does the job. */
static enum err run(struct job *job, const struct mode *m, struct frame *frame, json_t **done)
{
    json_t *spec = NULL;
    enum err e = check_descriptors(job, m);

    if (e == OK && m->run == NULL)
        return mode_serve(job);
    if (e == OK)
        e = channel_parse(frame, &spec, &job->why);
    if (e == OK)
        e = m->run(job, spec, done);
    json_decref(spec);
    return e;
}

static int speak(struct job *job, const struct mode *m)
{
    struct frame frame = {0};
    json_t *done = NULL;
    enum err e = OK;

    if (m->run != NULL && frame_read(FD_CONTROL, &frame, -1) != OK)
        return EXIT_FAILURE;
    e = run(job, m, &frame, &done);
    frame_free(&frame);
    if (e != OK)
        e = channel_refuse(&job->channel, NULL, &job->why);
    else if (done != NULL)
        e = channel_send(&job->channel, "done", done);
    pool_free(&job->pool);
    return e == OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    const struct mode *mode = NULL;
    struct job job;

    for (size_t i = 0; argc == 2 && i < sizeof(modes) / sizeof(modes[0]); i++)
        if (strcmp(argv[1], modes[i].name) == 0)
            mode = &modes[i];
    if (mode == NULL) {
        (void)fputs("usage: chancery-engine profile|train|predict|serve, started by chanceryd\n",
                    stderr);
        return EXIT_FAILURE;
    }
    /* a write past RLIMIT_FSIZE is to be an error that can be told, not a death */
    if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
        return EXIT_FAILURE;
    job = open_job();
    sandbox_warm();
    if (!sandbox_close()) {
        (void)fputs("chancery-engine: the sandbox could not be closed\n", stderr);
        return EXIT_FAILURE;
    }
    return speak(&job, mode);
}
