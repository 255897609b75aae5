/* SPDX-License-Identifier: Apache-2.0 */
#include "core/config.h"
#include "core/db.h"
#include "core/log.h"
#include "service/audit_console.h"
#include "service/backup.h"
#include "service/installation.h"
#include "service/route.h"
#include "service/serve.h"
#include "service/version.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct command {
    const char *name;
    const char *operands; /* for help */
    size_t least;         /* operands */
    size_t most;
    const char *switches[2]; /* NULL-terminated */
    enum err (*run)(const struct config *c);
    const char *help;
};

static const struct command *chosen;
static char **arguments; /* of the command; copies, as is the next */
static char **surroundings;

static enum err load(struct config *c)
{
    const char *why = "";
    enum err e = config_load(c, arguments, surroundings, chosen->switches, &why);
    size_t operands = c->operands_count;

    if (e != OK) {
        (void)fprintf(stderr, "chanceryd: %s\n", why);
        return e;
    }
    for (size_t i = 0; i < c->operands_count; i++)
        operands -= chosen->switches[0] != NULL && strcmp(c->operands[i], chosen->switches[0]) == 0;
    if (operands >= chosen->least && operands <= chosen->most)
        return OK;
    (void)fprintf(stderr, "chanceryd: usage: chanceryd %s [--SETTING VALUE]… %s\n", chosen->name,
                  chosen->operands);
    return ERR_INVALID;
}

/* The first argument that is not a switch. */
static const char *operand(const struct config *c)
{
    for (size_t i = 0; i < c->operands_count; i++)
        if (strncmp(c->operands[i], "--", 2) != 0)
            return c->operands[i];
    return NULL;
}

static enum err run_serve(const struct config *c)
{
    return serve(c, load);
}

static enum err with_installation(const struct config *c,
                                  enum err (*work)(struct installation *i, const struct config *c))
{
    struct installation i;
    enum err e = installation_open(&i, c, INSTALLATION_VISIT);

    if (e != OK)
        return e;
    e = work(&i, c);
    installation_close(&i);
    return e;
}

static enum err bring_up(struct installation *i, const struct config *c)
{
    (void)c;
    return installation_schema(i);
}

static enum err run_migrate(const struct config *c)
{
    return with_installation(c, bring_up);
}

static enum err prepare_all(struct installation *i, const struct config *c)
{
    struct db db = {0};
    enum err e = installation_schema(i);

    (void)c;
    if (e == OK)
        e = db_open(&db, i->database.app);
    if (e != OK)
        return e;
    db_close(&db);
    (void)puts("every statement fits the schema, and the catalogue keeps tenants apart");
    return OK;
}

static enum err run_check_queries(const struct config *c)
{
    return with_installation(c, prepare_all);
}

static enum err invite(struct installation *i, const struct config *c)
{
    const char *path = operand(c);
    enum err e = installation_schema(i);

    if (path == NULL)
        path = home_file(&i->home, i->arena, "bootstrap.code");
    if (e == OK)
        e = installation_invite(i, path);
    if (e == OK)
        (void)puts(path);
    return e;
}

static enum err run_invite(const struct config *c)
{
    return with_installation(c, invite);
}

static enum err run_backup(const struct config *c)
{
    return backup_write(c, operand(c), config_switch(c, "--with-key"));
}

static enum err run_restore(const struct config *c)
{
    return backup_restore(c, operand(c));
}

static enum err restart_audit(struct installation *i, const struct config *c)
{
    return audit_console_restart(i, operand(c));
}

static enum err run_audit_restart(const struct config *c)
{
    return with_installation(c, restart_audit);
}

static enum err run_routes(const struct config *c)
{
    routes_print(stdout, config_switch(c, "--json"));
    return OK;
}

static enum err run_queries(const struct config *c)
{
    (void)c;
    queries_print(stdout);
    return OK;
}

static enum err run_config(const struct config *c)
{
    config_print(c, stdout);
    return OK;
}

static enum err run_version(const struct config *c)
{
    (void)c;
    (void)printf("chanceryd %s\n", CHANCERY_VERSION);
    return OK;
}

static enum err run_help(const struct config *c);

static const struct command commands[] = {
    {"serve",
     "",
     0,
     0,
     {NULL},
     run_serve,
     "start the service; with no --database, its own PostgreSQL too"},
    {"migrate", "", 0, 0, {NULL}, run_migrate, "bring the schema up to date and check it"},
    {"invite",
     "[FILE]",
     0,
     1,
     {NULL},
     run_invite,
     "write a fresh one-time code that makes a tenant"},
    {"backup",
     "[--with-key] FILE.tar",
     1,
     1,
     {"--with-key"},
     run_backup,
     "write database and blobs into one archive, while serving or not"},
    {"restore", "FILE.tar", 1, 1, {NULL}, run_restore, "fill an empty home from an archive"},
    {"audit-restart",
     "TENANT",
     1,
     1,
     {NULL},
     run_audit_restart,
     "begin an audit log anew that must not go on"},
    {"config",
     "",
     0,
     0,
     {NULL},
     run_config,
     "print every setting, its value and where it came from"},
    {"routes", "[--json]", 0, 0, {"--json"}, run_routes, "print every route"},
    {"queries", "", 0, 0, {NULL}, run_queries, "print every SQL statement, name and text"},
    {"check-queries",
     "",
     0,
     0,
     {NULL},
     run_check_queries,
     "prepare every statement against the schema, and lint the catalogue"},
    {"version", "", 0, 0, {NULL}, run_version, "print the version"},
    {"help", "", 0, 0, {NULL}, run_help, "print this"},
};

static enum err run_help(const struct config *c)
{
    (void)c;
    (void)puts("usage: chanceryd COMMAND [--config FILE] [--SETTING VALUE]…\n");
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        (void)printf("  %-14s %-22s %s\n", commands[i].name, commands[i].operands,
                     commands[i].help);
    (void)puts(
        "\nA setting comes from its default, the file, the environment (CHANCERY_NAME) or a flag, "
        "the last of them winning;\nchanceryd config lists them.");
    return OK;
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (name != NULL &&
            strcmp(commands[i].name, strncmp(name, "--", 2) == 0 ? name + 2 : name) == 0)
            return &commands[i];
    return NULL;
}

/* Keys and passwords are in memory: no core dump, no debugger of the same user, no file that others
 * can read. Signals are taken by one thread only, so they are blocked before there are more. */
static void harden(void)
{
    const struct rlimit none = {0, 0};
    sigset_t handled;

    (void)umask(077);
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigemptyset(&handled);
    (void)sigaddset(&handled, SIGTERM);
    (void)sigaddset(&handled, SIGINT);
    (void)sigaddset(&handled, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &handled, NULL);
}

static char **copy_of(char *const *list)
{
    size_t count = 0;
    char **out;

    while (list[count] != NULL)
        count++;
    out = calloc(count + 1, sizeof(*out));
    if (out == NULL)
        abort();
    for (size_t i = 0; i < count; i++) {
        out[i] = strdup(list[i]);
        if (out[i] == NULL)
            abort();
    }
    return out;
}

/* What the settings are read from again at SIGHUP; in the originals everybody on the machine could
 * read secrets. */
static void take_arguments(char *const *given)
{
    arguments = copy_of(given);
    surroundings = copy_of(environ);
    config_hide(given, environ);
}

int main(int argc, char **argv)
{
    struct config c;
    enum err e;

    chosen = argc < 2 ? NULL : find(argv[1]);
    if (chosen == NULL) {
        (void)fprintf(stderr, "chanceryd: %s; chanceryd help lists the commands\n",
                      argc < 2 ? "a command is needed" : "there is no such command");
        return EXIT_FAILURE;
    }
    harden();
    take_arguments(argv + 2);
    e = load(&c);
    if (e == OK) {
        log_json(strcmp(c.log_format, "json") == 0);
        e = chosen->run(&c);
    }
    config_free(&c);
    return e == OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
