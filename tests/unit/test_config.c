/* SPDX-License-Identifier: Apache-2.0 */
#include "core/config.h"

#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *const nothing[] = {NULL};
static const char *const switches[] = {"--with-key", NULL};
static char path[] = "/tmp/chancery-config-XXXXXX";

static enum err load(struct config *c, char *const *args, char *const *environment,
                     const char **why)
{
    *why = "";
    return config_load(c, args, environment, switches, why);
}

/* Loads a file with these contents, and nothing else. */
static enum err load_file(struct config *c, const char *contents, const char **why)
{
    char *args[] = {(char *)"--config", path, NULL};
    FILE *file = fopen(path, "we");

    if (file == NULL || fputs(contents, file) < 0 || fclose(file) != 0)
        abort();
    return load(c, args, nothing, why);
}

static void defaults_are_within_their_own_bounds(void)
{
    struct config c;
    const char *why;
    enum err e = load(&c, nothing, nothing, &why);

    CHECK(e == OK);
    CHECK(c.workers_read == 4 && c.workers_write == 12 && c.queue_max == 512);
    CHECK(strcmp(c.log_format, "text") == 0 && c.database[0] == '\0');
    CHECK(c.source[SETTING_home] == CONFIG_DEFAULT && c.operands_count == 0);
    config_free(&c);
}

static void later_sources_override_earlier_ones(void)
{
    char *environment[] = {(char *)"CHANCERY_WORKERS_READ=6", (char *)"CHANCERY_QUEUE_MAX=7",
                           (char *)"CHANCERY_NO_SUCH=1", (char *)"HOME=/root", NULL};
    char *args[] = {(char *)"--queue-max=9", (char *)"--config", path,
                    (char *)"--listen",      (char *)"[::1]:0",  NULL};
    struct config c;
    const char *why;
    FILE *file = fopen(path, "we");

    CHECK(file != NULL);
    (void)fputs("# a comment\n\n  workers_read = 5 \nworkers_write=8\nqueue_max = 10\n", file);
    (void)fclose(file);
    CHECK(load(&c, args, environment, &why) == OK);
    CHECK(c.workers_write == 8 && c.source[SETTING_workers_write] == CONFIG_FILE);
    CHECK(c.workers_read == 6 && c.source[SETTING_workers_read] == CONFIG_ENVIRONMENT);
    CHECK(c.queue_max == 9 && c.source[SETTING_queue_max] == CONFIG_FLAG);
    CHECK(strcmp(c.listen, "[::1]:0") == 0);
    config_free(&c);
}

static void operands_and_switches_stay(void)
{
    char *args[] = {(char *)"one", (char *)"--with-key", (char *)"--home",
                    (char *)"/h",  (char *)"--",         (char *)"--home",
                    NULL};
    struct config c;
    const char *why;

    CHECK(load(&c, args, nothing, &why) == OK);
    CHECK(c.operands_count == 3 && strcmp(c.operands[0], "one") == 0);
    CHECK(strcmp(c.operands[2], "--home") == 0 && strcmp(c.home, "/h") == 0);
    CHECK(config_switch(&c, "--with-key") && !config_switch(&c, "--json"));
    config_free(&c);
}

static bool refused(const char *contents, const char *words)
{
    struct config c;
    const char *why;
    bool right = load_file(&c, contents, &why) == ERR_INVALID && strstr(why, words) != NULL;

    if (!right)
        (void)printf("%s -> %s\n", contents, why);
    config_free(&c);
    return right;
}

static void errors_name_the_setting_and_its_bounds(void)
{
    CHECK(refused("\nworkers_reads = 5\n", "line 2: there is no setting \"workers_reads\""));
    CHECK(refused("workers_read 5\n", "line 1: not of the form name = value"));
    CHECK(refused("workers_read = 0\n", "workers_read: \"0\""));
    CHECK(refused("workers_read = 0\n", "line 1 is not a whole number from 1 to 256 (threads)"));
    CHECK(refused("workers_read = 4x\n", "from 1 to 256"));
    CHECK(refused("workers_read = \n", "from 1 to 256"));
    CHECK(refused("workers_read = -1\n", "from 1 to 256"));
    CHECK(refused("workers_read = 99999999999999999999\n", "from 1 to 256"));
    CHECK(refused("token_minutes = 61\n", "from 5 to 60"));
    CHECK(refused("log_format = xml\n", "one of text|json"));
    CHECK(refused("log_format = text|json\n", "one of text|json"));
    CHECK(refused("log_format = tex\n", "one of text|json"));
    CHECK(refused("home =\n", "1 to 400 bytes"));
    CHECK(refused("home = a\tb\n", "without control characters"));
    CHECK(refused("tls_cert = /c\n", "one is set without the other"));
    CHECK(refused("database = a\x01secret\n", "(hidden)"));
    CHECK(!refused("database = a\x01secret\n", "a\x01secret"));
}

static void bad_flags_are_refused(void)
{
    static const struct {
        const char *args[3];
        const char *words;
    } bad[] = {
        {{"--no-such", "1"}, "no flag --no-such"},
        {{"--"
          "=1"},
         "no flag --=1"},
        {{"--json"}, "no flag --json"},
        {{"--home"}, "--home needs a value"},
        {{"--config"}, "--config needs a value"},
        {{"--config", "/no/such/file"}, "cannot be read: No such file"},
        {{"--workers-read", "no"}, "from the command line"},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char *args[] = {(char *)bad[i].args[0], (char *)bad[i].args[1], NULL};
        struct config c;
        const char *why;

        CHECK(load(&c, args, nothing, &why) == ERR_INVALID);
        CHECK(strstr(why, bad[i].words) != NULL);
        config_free(&c);
    }
}

static void secrets_are_not_printed(void)
{
    struct config c;
    const char *why;
    char *shown = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&shown, &size);

    CHECK(out != NULL);
    CHECK(load_file(&c, "database = postgresql://u:hunter2@h/d\n", &why) == OK);
    config_print(&c, out);
    (void)fclose(out);
    CHECK(strstr(shown, "hunter2") == NULL && strstr(shown, "(hidden)") != NULL);
    CHECK(strstr(shown, "workers_write") != NULL);
    free(shown);
    config_free(&c);
}

static void a_reload_tells_what_needs_a_restart(void)
{
    struct config old;
    struct config new;
    const char *why;

    CHECK(load_file(&old, "", &why) == OK);
    CHECK(load_file(&new, "log_format = json\n", &why) == OK);
    CHECK(config_fixed_change(&old, &new) == NULL);
    config_free(&new);
    CHECK(load_file(&new, "log_format = json\nworkers_slow = 5\n", &why) == OK);
    CHECK(strcmp(config_fixed_change(&old, &new), "workers_slow") == 0);
    config_free(&new);
    config_free(&old);
}

int main(void)
{
    int fd = mkstemp(path);

    if (fd < 0)
        return EXIT_FAILURE;
    (void)close(fd);
    RUN(defaults_are_within_their_own_bounds);
    RUN(later_sources_override_earlier_ones);
    RUN(operands_and_switches_stay);
    RUN(errors_name_the_setting_and_its_bounds);
    RUN(bad_flags_are_refused);
    RUN(secrets_are_not_printed);
    RUN(a_reload_tells_what_needs_a_restart);
    (void)unlink(path);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
