/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test_engine.h"

#include <signal.h>
#include <time.h>

static double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

static void sandbox_refuses_everything_else(void)
{
    static const char *const calls[] = {"open", "socket", "fork",   "unlink",
                                        "kill", "ptrace", "execve", "mmap_exec"};
    struct engine_command c = command("self-test", -1, -1, -1);
    json_t *a = run_job(&c, "{}"), *report = json_object_get(a, "calls");

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        CHECK(strcmp(text_of(report, calls[i]), "EPERM") == 0);
    json_decref(a);
}

/* A table whose columns need more memory than the job has: an answer, not a death. */
static void too_large_a_table_is_told(void)
{
    enum { COLUMNS = 4000, ROWS = 4000 };
    size_t length = 0, room = (size_t)COLUMNS * (2 * ROWS + 8);
    char *table = malloc(room);
    struct engine_command c;
    int input, model = memory_file("", 0);
    json_t *a;

    for (int i = 0; i < COLUMNS; i++)
        length += (size_t)snprintf(table + length, 8, "c%d%c", i, i + 1 < COLUMNS ? ',' : '\n');
    for (int r = 0; r < ROWS; r++)
        for (int i = 0; i < COLUMNS; i++) {
            table[length++] = (char)('0' + (r + i) % 10);
            table[length++] = i + 1 < COLUMNS ? ',' : '\n';
        }
    input = memory_file(table, length);
    free(table);
    c = command("train", input, model, -1);
    c.memory_bytes = (uint64_t)256 << 20;
    a = run_job(&c, "{\"trainer\":\"ridge\",\"target\":\"c0\"}");
    CHECK(strcmp(text_of(a, "code"), "limit") == 0);
    CHECK(strstr(text_of(a, "message"), "more memory than it may have") != NULL);
    json_decref(a);
    (void)close(input), (void)close(model);
}

#endif

static void too_large_an_output_is_told(void)
{
    int input = table_file("breast_cancer"), model = memory_file("", 0);
    struct engine_command c = command("train", input, model, -1);
    json_t *a;

    c.file_size_bytes = 1000;
    a = run_job(&c, "{\"trainer\":\"logistic\",\"target\":\"diagnosis\"}");
    CHECK(strcmp(text_of(a, "code"), "limit") == 0);
    CHECK(strstr(text_of(a, "message"), "1000 bytes") != NULL);
    json_decref(a);
    (void)close(input), (void)close(model);
}

/* An engine that waits for its spec. */
static bool idle(struct engine *e)
{
    int input = table_file("iris");
    struct engine_command c = command("profile", input, -1, -1);
    bool fine = engine_spawn(e, &c) == OK;

    (void)close(input);
    return fine;
}

static void death_is_seen_at_once(void)
{
    struct engine_exit how;
    struct frame f = {0};
    struct engine e;
    double start;

    CHECK(idle(&e));
    CHECK(engine_wait(&e, 100, &how) == ERR_TIMEOUT);
    start = now();
    CHECK(kill(e.pid, SIGKILL) == 0);
    CHECK(frame_read(e.control, &f, 5000) == ERR_UNAVAILABLE);
    CHECK(engine_wait(&e, 5000, &how) == OK);
    CHECK(now() - start < 1 && how.by_signal && how.code == SIGKILL);
    CHECK(e.pid == -1 && e.control == -1);
    engine_kill(&e); /* harmless now */
}

static void cancel_and_kill_end_it(void)
{
    struct engine_exit how;
    struct engine e;

    CHECK(idle(&e));
    engine_cancel(&e);
    CHECK(engine_wait(&e, 5000, &how) == OK && how.by_signal && how.code == SIGTERM);
    CHECK(strcmp(engine_exit_text(&how), "was cancelled") == 0);
    CHECK(idle(&e));
    engine_kill(&e);
    CHECK(e.pid == -1 && e.pidfd == -1);
}

static void a_program_that_is_not_there_is_told(void)
{
    struct engine_command c = command("profile", -1, -1, -1);
    struct engine e;

    c.program = "/nowhere/chancery-engine";
    CHECK(engine_spawn(&e, &c) == ERR_ENGINE && e.control == -1);
}

static void an_unprivileged_user_can_run_it(void)
{
    struct engine_command c = command("profile", -1, -1, -1);
    json_t *a;

    c.uid = c.gid = 65534;
    c.input = table_file("iris");
    a = run_job(&c, "{}");
    CHECK(number_of(a, "rows") == 150);
    json_decref(a);
    (void)close(c.input);
}

/* With the parent's end of the stream gone, the engine has nobody to work for. */
static void an_orphan_ends(void)
{
    struct engine_exit how;
    struct engine e;

    CHECK(idle(&e));
    (void)close(e.control);
    e.control = -1;
    CHECK(engine_wait(&e, 5000, &how) == OK && !how.by_signal && how.code == 1);
}

int main(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    RUN(sandbox_refuses_everything_else);
    RUN(too_large_a_table_is_told);
#endif
    RUN(too_large_an_output_is_told);
    RUN(death_is_seen_at_once);
    RUN(cancel_and_kill_end_it);
    RUN(a_program_that_is_not_there_is_told);
    RUN(an_unprivileged_user_can_run_it);
    RUN(an_orphan_ends);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
