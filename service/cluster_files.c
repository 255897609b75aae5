/* SPDX-License-Identifier: Apache-2.0 */
#include "service/cluster_files.h"

#include "core/text.h"
#include "service/worker.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>

enum {
    FILE_MAX = 16384,
    BACKGROUND_CONNECTIONS =
        17,                 /* parts that listen, sequence, supervise; and one in reserve each */
    SPARE_CONNECTIONS = 16, /* backup, invite, an operator's psql; and 3 for superusers */
};

static const char settings[] =
    "listen_addresses = ''\n"
    "port = 5432\n"
    "unix_socket_permissions = 0700\n"
    "dynamic_shared_memory_type = posix\n"
    "huge_pages = off\n"
    "jit = off\n"
    "max_parallel_workers_per_gather = 0\n" /* starting them takes longer than our statements */
    "max_worker_processes = 4\n"
    "fsync = on\n"
    "full_page_writes = on\n"
    "synchronous_commit = on\n"
    /* One cluster, no replicas: backups are dumps, and high availability is --database. */
    "wal_level = minimal\n"
    "max_wal_senders = 0\n"
    "min_wal_size = 64MB\n"
    "max_wal_size = 512MB\n"
    "random_page_cost = 1.1\n"
    "autovacuum = on\n"
    /* Notice that a client is gone while its statement still runs. */
    "client_connection_check_interval = 10s\n"
    "logging_collector = on\n"
    "log_filename = 'postgres-%a.log'\n"
    "log_truncate_on_rotation = on\n"
    "log_rotation_age = 1d\n"
    "log_rotation_size = 0\n"
    "log_file_mode = 0600\n"
    "log_min_messages = error\n"
    /* Statements and the details of errors hold tenants' values. */
    "log_min_error_statement = panic\n"
    "log_error_verbosity = terse\n"
    "log_checkpoints = off\n"
    "log_line_prefix = '%m [%p] %q%u '\n"
    "log_timezone = 'UTC'\n"
    "timezone = 'UTC'\n"
    "lc_messages = 'C'\n"
    "password_encryption = 'scram-sha-256'\n";

/* A configuration value: '…' with ' and \ doubled. */
static void add_quoted(struct text *t, const char *value)
{
    text_puts(t, "'");
    for (; *value != '\0'; value++) {
        if (*value == '\'' || *value == '\\')
            text_add(t, value, 1);
        text_add(t, value, 1);
    }
    text_puts(t, "'");
}

/* The socket directories are a list inside a value: "…" keeps a comma in a path from splitting it.
 */
static const char *list_item(struct arena *a, const char *path)
{
    struct text t = text_new(FILE_MAX);
    const char *item;

    for (; *path != '\0'; path++) {
        if (*path == '"')
            text_puts(&t, "\"");
        text_add(&t, path, 1);
    }
    item = arena_printf(a, "\"%s\"", t.data);
    text_free(&t);
    return item;
}

static void add_setting(struct text *t, const char *name, const char *value)
{
    text_printf(t, "%s = ", name);
    add_quoted(t, value);
    text_puts(t, "\n");
}

/* The cluster's user reads these; there is no secret in them. */
static enum err save(const struct cluster *k, const char *path, struct text *t)
{
    mode_t mode = k->user.uid == k->self.uid ? 0600 : 0644;
    enum err e = t->failed ? ERR_INTERNAL : file_replace(path, t->data, t->length, mode);

    text_free(t);
    return e;
}

static enum err save_settings(const struct cluster *k, struct arena *a, const struct config *c)
{
    struct text t = text_new(FILE_MAX);
    int64_t connections = workers_threads((unsigned)c->workers_read) +
                          workers_threads((unsigned)c->workers_write) +
                          workers_threads((unsigned)c->workers_slow) + c->streams_max +
                          c->jobs_parallel + BACKGROUND_CONNECTIONS + SPARE_CONNECTIONS;

    text_puts(&t, "# Written by chanceryd at every start.\n");
    add_setting(&t, "data_directory", k->data);
    add_setting(&t, "hba_file", arena_printf(a, "%s/pg_hba.conf", k->dir));
    add_setting(&t, "ident_file", arena_printf(a, "%s/pg_ident.conf", k->dir));
    add_setting(&t, "unix_socket_directories", list_item(a, k->socket));
    add_setting(&t, "log_directory", arena_printf(a, "%s/log", k->dir));
    text_printf(&t, "max_connections = %lld\n", (long long)connections);
    text_printf(&t, "shared_buffers = %lldMB\n", (long long)c->postgres_shared_buffers_mb);
    text_printf(&t, "effective_cache_size = %lldMB\n",
                (long long)c->postgres_shared_buffers_mb * 4);
    text_puts(&t, settings);
    return save(k, arena_printf(a, "%s/postgresql.conf", k->dir), &t);
}

static enum err save_access(const struct cluster *k, struct arena *a)
{
    const char *const users[] = {k->self.name, k->user.name};
    const size_t count = k->self.uid == k->user.uid ? 1 : 2;
    struct text hba = text_new(FILE_MAX);
    struct text ident = text_new(FILE_MAX);
    enum err e;

    text_puts(&hba, "local all all peer map=chancery\n");
    for (size_t i = 0; i < count; i++) {
        text_printf(&ident, "chancery \"%s\" postgres\n", users[i]);
        text_printf(&ident, "chancery \"%s\" chancery_app\n", users[i]);
    }
    e = save(k, arena_printf(a, "%s/pg_hba.conf", k->dir), &hba);
    if (e != OK) {
        text_free(&ident);
        return e;
    }
    return save(k, arena_printf(a, "%s/pg_ident.conf", k->dir), &ident);
}

enum err cluster_files(const struct cluster *k, const struct config *c)
{
    struct arena *a = arena_new();
    enum err e = save_settings(k, a, c);

    if (e == OK)
        e = save_access(k, a);
    arena_free(a);
    return e;
}
