/* SPDX-License-Identifier: Apache-2.0 */
#include "service/serve.h"

#include "core/log.h"
#include "core/service.h"
#include "service/address.h"
#include "service/directory.h"
#include "service/installation.h"
#include "service/listener.h"
#include "service/localca.h"
#include "service/notify.h"
#include "service/ops.h"
#include "service/parts.h"
#include "service/route.h"
#include "service/version.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    DRAIN_MS = 5000,
    STOP_S =
        9, /* a part that does not end is left behind then; everything acknowledged is stored */
    RENEW_S = 24 * 60 * 60,
};

/* What start adds to, step by step. */
struct serving {
    const struct config *config;
    enum err (*reload)(struct config *fresh);
    struct installation installation;
    struct address address;
    struct localca tls;
    struct service service;
    struct listener *listener;
    const char *spool;
    const char *code_file; /* NULL when there is a tenant already */
    const char *runtime;
};

static enum err start_installation(struct serving *s)
{
    return installation_open(&s->installation, s->config, INSTALLATION_SERVE);
}

static void stop_installation(struct serving *s)
{
    installation_close(&s->installation);
}

static enum err start_schema(struct serving *s)
{
    return installation_schema(&s->installation);
}

static const char *find_engine(struct arena *a, const struct config *c)
{
    char self[PATH_MAX];
    ssize_t length;
    char *slash;

    if (c->engine_path[0] != '\0')
        return arena_text(a, c->engine_path);
    length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[length < 0 ? 0 : length] = '\0';
    slash = strrchr(self, '/');
    if (slash != NULL)
        *slash = '\0';
    return arena_printf(a, "%s/chancery-engine", self);
}

static enum err start_service(struct serving *s)
{
    struct arena *a = s->installation.arena;
    const char *url = s->config->public_url;
    size_t length = strlen(url);
    enum err e = address_parse(a, s->config->listen, &s->address);

    if (e == OK)
        e = address_pick_port(&s->address);
    if (e != OK)
        return e;
    while (length > 0 && url[length - 1] == '/')
        length--;
    if (length > 0 && !address_url_valid(arena_copy(a, url, length))) {
        log_ours("setting public_url: must be https://HOST or https://HOST:PORT, in lower case, "
                 "without port 443, a path or a user");
        return ERR_INVALID;
    }
    s->service = (struct service){
        .config = s->config,
        .home = s->installation.home.path,
        .conninfo = s->installation.database.app,
        .url = length > 0 ? arena_copy(a, url, length) : address_url(a, &s->address),
        .engine_path = find_engine(a, s->config),
        .version = CHANCERY_VERSION,
        .key = s->installation.home.key,
        .root = geteuid() == 0,
    };
    routes_open();
    return OK;
}

/* The names besides localhost that clients may use for us. */
static const char *extra_hosts(struct serving *s)
{
    const char *host = strstr(s->config->public_url, "://");
    const char *address = s->address.any ? "" : s->address.host;
    struct arena *a = s->installation.arena;

    if (host == NULL)
        return address[0] == '\0' ? NULL : address;
    host = host[3] == '[' ? host + 4 : host + 3;
    return arena_printf(a, "%s%s%.*s", address, address[0] == '\0' ? "" : ",",
                        (int)strcspn(host, host[-1] == '[' ? "]" : ":/"), host);
}

static enum err start_tls(struct serving *s)
{
    const struct config *c = s->config;

    if (c->tls_cert[0] == '\0')
        return localca_ensure(s->installation.home.path, extra_hosts(s), &s->tls);
    (void)snprintf(s->tls.cert, sizeof(s->tls.cert), "%s", c->tls_cert);
    (void)snprintf(s->tls.key, sizeof(s->tls.key), "%s", c->tls_key);
    return OK;
}

/* Until there is a tenant, each start has a fresh code: an old one may have been seen. */
static enum err start_bootstrap(struct serving *s)
{
    const char *path = home_file(&s->installation.home, s->installation.arena, "bootstrap.code");
    bool has_tenant = false;
    enum err e = installation_has_tenant(&s->installation, &has_tenant);

    (void)unlink(path);
    if (e != OK || has_tenant)
        return e;
    s->code_file = path;
    e = installation_withdraw(&s->installation);
    return e == OK ? installation_invite(&s->installation, path) : e;
}

static enum err start_spool(struct serving *s)
{
    s->spool = home_file(&s->installation.home, s->installation.arena, "spool");
    return directory_fresh(s->spool);
}

static enum err start_parts(struct serving *s)
{
    return parts_start(&s->service);
}

static void stop_parts(struct serving *s)
{
    (void)s;
    parts_stop();
}

static enum err start_listener(struct serving *s)
{
    const struct config *c = s->config;
    const struct listener_config config = {
        .address = s->address.host,
        .port = s->address.port,
        .cert_path = s->tls.cert,
        .key_path = s->tls.key,
        .spool_dir = s->spool,
        .conninfo = s->service.conninfo,
        .network_threads = (unsigned)c->network_threads,
        .read_workers = (unsigned)c->workers_read,
        .write_workers = (unsigned)c->workers_write,
        .slow_workers = (unsigned)c->workers_slow,
        .queue_max = (unsigned)c->queue_max,
        .connections_max = (unsigned)c->connections_max,
        .connections_per_ip = (unsigned)c->connections_per_ip,
        .streams_max = (unsigned)c->streams_max,
        .body_max = c->body_max,
        .upload_max = c->upload_max,
    };
    enum err e = listener_start(&config, NULL, &s->listener);

    if (e == OK)
        ops_watch(s->listener);
    return e;
}

static void stop_listener(struct serving *s)
{
    ops_watch(NULL);
    listener_stop(s->listener, DRAIN_MS);
}

static enum err start_runtime(struct serving *s)
{
    struct arena *a = s->installation.arena;
    json_t *json = json_pack("{s:s, s:s?, s:i, s:s?}", "url", s->service.url, "ca",
                             s->tls.ca[0] == '\0' ? NULL : s->tls.ca, "pid", (int)getpid(),
                             "bootstrap_code_file", s->code_file);
    char *text = json_dumps(json, JSON_COMPACT);
    enum err e = ERR_INTERNAL;

    json_decref(json);
    s->runtime = home_file(&s->installation.home, a, "runtime.json");
    if (text != NULL)
        e = file_replace(s->runtime, text, strlen(text), 0644);
    free(text);
    return e;
}

static void stop_runtime(struct serving *s)
{
    (void)unlink(s->runtime);
}

/* Started from the first to the last, stopped from the last started to the first. */
static const struct step {
    const char *name;
    enum err (*start)(struct serving *s);
    void (*stop)(struct serving *s);
} steps[] = {
    {"installation", start_installation, stop_installation},
    {"schema", start_schema, NULL},
    {"service", start_service, NULL},
    {"TLS", start_tls, NULL},
    {"bootstrap", start_bootstrap, NULL},
    {"spool", start_spool, NULL},
    {"background", start_parts, stop_parts},
    {"listener", start_listener, stop_listener},
    {"runtime.json", start_runtime, stop_runtime},
};

static bool stop_is_pending(void)
{
    sigset_t pending;

    return sigpending(&pending) == 0 &&
           (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

static void stop_steps(struct serving *s, size_t started)
{
    while (started > 0)
        if (steps[--started].stop != NULL)
            steps[started].stop(s);
}

static enum err start_steps(struct serving *s)
{
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        enum err e = stop_is_pending() ? ERR_UNAVAILABLE : steps[i].start(s);

        if (e == OK)
            continue;
        log_ours("start failed at %s: %s", steps[i].name, err_meaning(e));
        stop_steps(s, i);
        return e;
    }
    return OK;
}

static void reload_tls(struct serving *s)
{
    if (s->config->tls_cert[0] == '\0' && start_tls(s) != OK)
        log_ours("the local certificate could not be renewed");
    if (listener_reload_tls(s->listener) != OK)
        log_ours("the certificate could not be read again; the old one stays");
}

static void reload(struct serving *s)
{
    struct config fresh;

    log_info("SIGHUP: reading settings and certificate again");
    if (s->reload(&fresh) == OK) {
        const char *fixed = config_fixed_change(s->config, &fresh);

        log_json(strcmp(fresh.log_format, "json") == 0);
        if (fixed != NULL)
            log_ours("setting %s has changed; that needs a restart", fixed);
    }
    config_free(&fresh);
    reload_tls(s);
}

static void tell(const struct serving *s)
{
    (void)printf("chanceryd %s\n  url             %s\n", CHANCERY_VERSION, s->service.url);
    if (s->tls.ca[0] != '\0')
        (void)printf("  ca              %s\n", s->tls.ca);
    if (s->code_file != NULL)
        (void)printf("  bootstrap code  %s\n", s->code_file);
    (void)fflush(stdout);
    notify_manager("READY=1");
    log_info("serving %s", s->service.url);
}

static void wait_for_stop(struct serving *s)
{
    const struct timespec renew = {.tv_sec = RENEW_S};
    sigset_t handled;
    int caught = 0;

    (void)sigemptyset(&handled);
    (void)sigaddset(&handled, SIGTERM);
    (void)sigaddset(&handled, SIGINT);
    (void)sigaddset(&handled, SIGHUP);
    while (caught != SIGTERM && caught != SIGINT) {
        caught = sigtimedwait(&handled, NULL, &renew);
        if (caught == SIGHUP)
            reload(s);
        else if (caught < 0 && errno == EAGAIN)
            reload_tls(s);
    }
    log_info("stopping (%s)", sigdescr_np(caught));
}

static void too_slow(int signal_number)
{
    static const char words[] = "a part did not stop in time; ending without it\n";

    (void)signal_number;
    if (write(STDERR_FILENO, words, sizeof(words) - 1) < 0) {
        /* There is nowhere left to say so. */
    }
    _exit(EXIT_FAILURE);
}

enum err serve(const struct config *c, enum err (*reload_config)(struct config *fresh))
{
    struct serving s = {.config = c, .reload = reload_config};
    enum err e = start_steps(&s);

    if (e != OK)
        return e;
    tell(&s);
    wait_for_stop(&s);
    notify_manager("STOPPING=1");
    (void)signal(SIGALRM, too_slow);
    (void)alarm(STOP_S);
    stop_steps(&s, sizeof(steps) / sizeof(steps[0]));
    (void)alarm(0);
    log_info("stopped");
    return OK;
}
