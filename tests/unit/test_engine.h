/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_TEST_ENGINE_H
#define UNIT_TEST_ENGINE_H

#include "compute/frame.h"
#include "compute/spawn.h"
#include "tests/unit/test.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Help for tests that start a real engine. */

#define UNUSED_IN_SOME __attribute__((unused))

/* The engine built beside this test: in a folder above it. Empty when there is none. */
UNUSED_IN_SOME static const char *engine_program(void)
{
    static char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 32);

    while (n > 0) {
        while (n > 0 && path[n - 1] != '/')
            n--;
        path[n] = '\0';
        (void)strncat(path, "chancery-engine", 16);
        if (access(path, X_OK) == 0)
            return path;
        if (n > 0)
            n--;
    }
    return "";
}

/* A regular file in memory that holds those bytes. */
UNUSED_IN_SOME static int memory_file(const void *data, size_t length)
{
    int fd = memfd_create("test", MFD_CLOEXEC);

    if (fd >= 0 && length > 0 && write(fd, data, length) != (ssize_t)length)
        abort();
    return fd;
}

UNUSED_IN_SOME static int text_file(const char *text)
{
    return memory_file(text, strlen(text));
}

UNUSED_IN_SOME static int table_file(const char *name)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "tests/data/%s.csv", name);
    return open(path, O_RDONLY | O_CLOEXEC);
}

UNUSED_IN_SOME static struct engine_command command(const char *mode, int input, int output,
                                                    int model)
{
    return (struct engine_command){.program = engine_program(),
                                   .mode = mode,
                                   .input = input,
                                   .output = output,
                                   .model = model,
                                   .memory_bytes = (uint64_t)4 << 30,
                                   .cpu_seconds = 60,
                                   .file_size_bytes = 1 << 28};
}

UNUSED_IN_SOME static enum err say(const struct engine *e, const char *json)
{
    struct frame f = {.json = (char *)(uintptr_t)json, .json_length = strlen(json)};

    return frame_write(e->control, &f, 5000);
}

UNUSED_IN_SOME static const char *text_of(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));

    return text == NULL ? "" : text;
}

/* The next frame that is no progress, as JSON that the caller releases; NULL when none comes. */
UNUSED_IN_SOME static json_t *hear(const struct engine *e, struct frame *f)
{
    for (;;) {
        json_t *body;

        if (frame_read(e->control, f, 60000) != OK)
            return NULL;
        body = json_loadb(f->json, f->json_length, 0, NULL);
        if (strcmp(text_of(body, "event"), "progress") != 0)
            return body;
        json_decref(body);
    }
}

/* Runs a job from spec to its last word. */
UNUSED_IN_SOME static json_t *run_job(const struct engine_command *c, const char *spec)
{
    struct engine_exit how;
    struct frame f = {0};
    struct engine e;
    json_t *answer;

    if (engine_spawn(&e, c) != OK)
        return NULL;
    answer = say(&e, spec) == OK ? hear(&e, &f) : NULL;
    if (engine_wait(&e, 10000, &how) != OK)
        engine_kill(&e);
    frame_free(&f);
    return answer;
}

UNUSED_IN_SOME static double number_of(const json_t *object, const char *member)
{
    return json_number_value(json_object_get(object, member));
}

/* Trains on one of the real tables; the model is in *model, which the caller closes. */
UNUSED_IN_SOME static json_t *train(const char *table, const char *spec, int *model)
{
    int input = table_file(table);
    struct engine_command c;
    json_t *answer;

    *model = memory_file("", 0);
    c = command("train", input, *model, -1);
    answer = run_job(&c, spec);
    (void)close(input);
    return answer;
}

#endif
