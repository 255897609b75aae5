/* SPDX-License-Identifier: Apache-2.0 */
#include "service/cluster.h"

#include "core/log.h"
#include "service/cluster_files.h"
#include "service/directory.h"
#include "service/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    SOCKET_NAME = sizeof("/.s.PGSQL.5432"), /* and its final NUL */
    WORDS_SIZE = 1200,
};

const char *const cluster_environment[] = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC", NULL};

static enum err failed(const char *what, const char *path)
{
    log_ours("private PostgreSQL: cannot %s %s: %s", what, path, strerrordesc_np(errno));
    return ERR_STORAGE;
}

static enum err find_bin(struct cluster *k, struct arena *a, const struct config *c)
{
    const char *postgres = tool_find(a, c, "postgres");

    if (postgres != NULL && tool_find(a, c, "initdb") != NULL) {
        k->bin = arena_copy(a, postgres, strlen(postgres) - strlen("/postgres"));
        return OK;
    }
    log_ours("PostgreSQL's server programs are not in %s: install the package postgresql, or set "
             "postgres_bin, or use another server with --database",
             c->postgres_bin[0] == '\0' ? "/usr/lib/postgresql/*/bin" : c->postgres_bin);
    return ERR_UNAVAILABLE;
}

static enum err find_users(struct cluster *k)
{
    if (user_by_id(geteuid(), &k->self) != OK) {
        log_ours("uid %u has no name in /etc/passwd, which PostgreSQL needs", geteuid());
        return ERR_UNAVAILABLE;
    }
    k->user = k->self;
    if (geteuid() != 0 || user_by_name("postgres", &k->user) == OK)
        return OK;
    log_ours("run as root, the private PostgreSQL needs a user named postgres, and there is none");
    return ERR_UNAVAILABLE;
}

/* A directory that was made for us earlier and that nobody can have put there in our place. */
static bool is_ours(const struct cluster *k, const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == k->user.uid &&
           (st.st_mode & 077) == 0;
}

/* Only to another user: a hardened unit refuses the call itself. */
static enum err give_away(const struct cluster *k, const char *path)
{
    if (k->user.uid == k->self.uid || lchown(path, k->user.uid, k->user.gid) == 0)
        return OK;
    return failed("give away", path);
}

static enum err make_short_socket(struct cluster *k, struct arena *a, const char *note)
{
    const char *base = access("/run", W_OK) == 0 ? "/run" : "/tmp";
    char *path = arena_printf(a, "%s/chancery-XXXXXX", base);

    if (mkdtemp(path) == NULL)
        return failed("make a directory for the socket in", base);
    if (give_away(k, path) != OK)
        return ERR_STORAGE;
    k->socket = path;
    return file_replace(note, path, strlen(path), 0600);
}

/* home/postgres/socket, or what the file socket_dir remembers when that is too long. */
static enum err find_socket(struct cluster *k, struct arena *a)
{
    const char *note = arena_printf(a, "%s.socket_dir", k->dir);
    char remembered[64];
    ssize_t length = -1;
    int fd;

    k->socket = arena_printf(a, "%s/socket", k->dir);
    if (strlen(k->socket) + SOCKET_NAME <= sizeof(((struct sockaddr_un *)NULL)->sun_path))
        return OK;
    fd = open(note, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0) {
        length = read(fd, remembered, sizeof(remembered) - 1);
        (void)close(fd);
    }
    remembered[length < 0 ? 0 : length] = '\0';
    if (!is_ours(k, remembered))
        return make_short_socket(k, a, note);
    k->socket = arena_text(a, remembered);
    return OK;
}

enum err cluster_find(struct cluster *k, struct arena *a, const struct config *c,
                      const struct home *home)
{
    enum err e;

    memset(k, 0, sizeof(*k));
    k->dir = home_file(home, a, "postgres");
    k->data = home_file(home, a, "postgres/data");
    k->output = home_file(home, a, "postgres.log");
    e = find_bin(k, a, c);
    if (e == OK)
        e = find_users(k);
    if (e == OK)
        e = find_socket(k, a);
    return e;
}

bool cluster_exists(const struct cluster *k)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/PG_VERSION", k->data);
    return access(path, F_OK) == 0;
}

static enum err make_directory(const struct cluster *k, const char *path)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return failed("make", path);
    if (give_away(k, path) != OK)
        return ERR_STORAGE;
    if (!is_ours(k, path)) {
        log_ours("private PostgreSQL: %s must be a directory of mode 0700", path);
        return ERR_STORAGE;
    }
    return OK;
}

/* The frame stays ours: what the cluster's user could rename, it could also replace by a link. */
static enum err make_frame(const struct cluster *k)
{
    if (mkdir(k->dir, 0700) != 0 && errno != EEXIST)
        return failed("make", k->dir);
    return chmod(k->dir, k->user.uid == k->self.uid ? 0700 : 0711) == 0 ? OK
                                                                        : failed("open", k->dir);
}

/* The first directory on the way that the cluster's user cannot pass: asked of the kernel by a
 * child that is that user. */
static enum err check_way(const struct cluster *k)
{
    const char *const arguments[] = {"/usr/bin/test", "-x", k->dir, NULL};
    const struct process p = {.arguments = arguments,
                              .environment = cluster_environment,
                              .user = &k->user,
                              .input = -1,
                              .output = -1};

    if (process_run(&p) == 0)
        return OK;
    log_ours(
        "the user %s, which the private PostgreSQL runs as, cannot reach %s: every directory above "
        "the home needs mode o+x (0711 is enough); or put --home elsewhere",
        k->user.name, k->dir);
    return ERR_STORAGE;
}

static enum err run_tool(const struct cluster *k, const char *const *arguments)
{
    int output = open(k->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    const struct process p = {.arguments = arguments,
                              .environment = cluster_environment,
                              .user = &k->user,
                              .input = -1,
                              .output = output,
                              .death_signal = SIGKILL};
    struct arena *a;
    int status;

    if (output < 0)
        return failed("write", k->output);
    status = process_run(&p);
    (void)close(output);
    if (status == 0)
        return OK;
    a = arena_new();
    log_ours("private PostgreSQL: %s failed (status %d): %s", arguments[0], status,
             cluster_last_words(k, a));
    arena_free(a);
    return ERR_UNAVAILABLE;
}

/* Beside, then renamed: an initdb that was cut off leaves nothing that looks like a cluster. */
static enum err initialise(const struct cluster *k)
{
    struct arena *a = arena_new();
    const char *fresh = arena_printf(a, "%s.new", k->data);
    const char *const initdb[] = {arena_printf(a, "%s/initdb", k->bin),
                                  "--pgdata",
                                  fresh,
                                  "--username=postgres",
                                  "--auth=peer",
                                  "--encoding=UTF8",
                                  "--locale=C.UTF-8",
                                  "--data-checksums",
                                  NULL};
    enum err e = directory_remove(fresh);

    if (e == OK)
        e = make_directory(k, fresh);
    if (e == OK)
        e = run_tool(k, initdb);
    if (e == OK && rename(fresh, k->data) != 0)
        e = failed("rename", fresh);
    arena_free(a);
    return e;
}

enum err cluster_make(const struct cluster *k, const struct config *c)
{
    char log[PATH_MAX];
    enum err e;

    (void)snprintf(log, sizeof(log), "%s/log", k->dir);
    e = make_frame(k);
    if (e == OK)
        e = check_way(k);
    if (e == OK)
        e = make_directory(k, k->socket);
    if (e == OK)
        e = make_directory(k, log);
    if (e == OK && !cluster_exists(k))
        e = initialise(k);
    if (e == OK)
        e = cluster_files(k, c);
    return e;
}

/* The end of a file; "" when it cannot be read. */
static const char *tail(struct arena *a, const char *path)
{
    char words[WORDS_SIZE + 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t length = 0;

    if (fd >= 0) {
        off_t size = lseek(fd, 0, SEEK_END);

        length = pread(fd, words, WORDS_SIZE, size > WORDS_SIZE ? size - WORDS_SIZE : 0);
        (void)close(fd);
    }
    words[length < 0 ? 0 : length] = '\0';
    return arena_text(a, words);
}

const char *cluster_last_words(const struct cluster *k, struct arena *a)
{
    time_t now = time(NULL);
    struct tm utc;
    char day[16] = "";

    (void)strftime(day, sizeof(day), "%a", gmtime_r(&now, &utc));
    return arena_printf(a, "%s%s", tail(a, k->output),
                        tail(a, arena_printf(a, "%s/log/postgres-%s.log", k->dir, day)));
}

const char *cluster_conninfo(const struct cluster *k, struct arena *a, const char *database)
{
    char quoted[2 * PATH_MAX];
    size_t n = 0;

    for (const char *s = k->socket; *s != '\0' && n + 2 < sizeof(quoted); s++) {
        if (*s == '\'' || *s == '\\')
            quoted[n++] = '\\';
        quoted[n++] = *s;
    }
    quoted[n] = '\0';
    /* The socket's other end is checked too: in /tmp anybody may have made one. */
    return arena_printf(a, "host='%s' port=5432 user=postgres dbname=%s requirepeer='%s'", quoted,
                        database, k->user.name);
}
