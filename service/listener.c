/* SPDX-License-Identifier: Apache-2.0 */
#include "service/listener.h"

#include "core/log.h"
#include "service/dispatch.h"
#include "service/exchange.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CONNECTION_MEMORY = 24 * 1024,
    UPLOAD_RATE = 1024, /* bytes a second */
    SPOOL_THREADS = 2,
    OTHER_FILES = 1024, /* descriptors beside the connections' */
    LAST_REPLIES_MS = 1000,
    LAST_CLOSES_MS = 30000,
    POLL_US = 5000,
};

static const struct listener_hooks dispatch_hooks = {.route = dispatch_route,
                                                     .body = dispatch_body,
                                                     .lane = dispatch_lane,
                                                     .admit = dispatch_admit,
                                                     .ahead = dispatch_ahead,
                                                     .run = dispatch_run,
                                                     .hold = dispatch_hold,
                                                     .leave = dispatch_leave,
                                                     .refuse = dispatch_refuse};

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static void or_default(unsigned *value, unsigned fallback)
{
    if (*value == 0)
        *value = fallback;
}

static struct listener_config with_defaults(const struct listener_config *given)
{
    struct listener_config c = *given;
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned cores = online < 1 ? 1 : (unsigned)online;

    if (c.address == NULL)
        c.address = "127.0.0.1";
    or_default(&c.network_threads, least(cores, 4));
    or_default(&c.read_workers, least(2 * cores, 16));
    or_default(&c.write_workers, least(8 * cores, 32));
    or_default(&c.slow_workers, 4);
    or_default(&c.queue_max, 512);
    or_default(&c.connections_max, 20000);
    or_default(&c.uploads_max, 128);
    or_default(&c.streams_max, 200);
    or_default(&c.header_timeout_s, 10);
    or_default(&c.body_timeout_s, 60);
    or_default(&c.idle_timeout_s, 60);
    or_default(&c.rate_window_s, 30);
    if (c.body_max == 0)
        c.body_max = 1 << 20;
    if (c.upload_max == 0)
        c.upload_max = 64LL << 30;
    return c;
}

static void raise_file_limit(unsigned connections)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)connections + OTHER_FILES;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    if (limit.rlim_max < wanted) {
        struct rlimit more = {.rlim_cur = wanted, .rlim_max = wanted};

        if (setrlimit(RLIMIT_NOFILE, &more) == 0)
            return;
        log_ours("only %llu files may be open, too few for %u connections; raise the limit",
                 (unsigned long long)limit.rlim_max, connections);
        wanted = limit.rlim_max;
    }
    limit.rlim_cur = wanted;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static void name_peer(const struct sockaddr *peer, char *out, size_t size)
{
    const char *name = NULL;

    if (peer->sa_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)peer;

        if (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
            name = inet_ntop(AF_INET, six->sin6_addr.s6_addr + 12, out, (socklen_t)size);
        else
            name = inet_ntop(AF_INET6, &six->sin6_addr, out, (socklen_t)size);
    } else if (peer->sa_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)peer;

        name = inet_ntop(AF_INET, &four->sin_addr, out, (socklen_t)size);
    }
    if (name == NULL)
        out[0] = '\0';
}

/* A socket was accepted; the handshake has not begun. */
static void on_open(struct listener *l, struct MHD_Connection *connection, void **state)
{
    int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    const union MHD_ConnectionInfo *peer =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const union MHD_ConnectionInfo *session =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    struct conn *c = reaper_add(l->reaper, fd);

    *state = c;
    if (c != NULL)
        c->credential = tls_attach(l->tls, session->tls_session);
    if (c == NULL || c->credential == NULL) {
        (void)shutdown(fd, SHUT_RDWR);
        return;
    }
    handshake_watch(l->handshakes, c, connection, session->tls_session);
    c->wire = wire_attach(session->tls_session, fd);
    name_peer(peer->client_addr, c->remote, sizeof(c->remote));
    conn_deadline(c, l->config.header_timeout_s);
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **state,
                          enum MHD_ConnectionNotificationCode what)
{
    struct listener *l = cls;
    struct conn *c = *state;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        on_open(l, connection, state);
    } else if (c != NULL) {
        struct tls_credential *credential = c->credential;
        struct wire *wire = c->wire;

        reaper_remove(l->reaper, c);
        tls_detach(credential);
        wire_free(wire);
        *state = NULL;
    }
}

static bool read_file(const char *path, struct text *out)
{
    char part[4096];
    FILE *file = fopen(path, "re");
    size_t got;

    if (file == NULL)
        return false;
    while ((got = fread(part, 1, sizeof(part), file)) > 0)
        text_add(out, part, got);
    (void)fclose(file);
    return !out->failed && out->length > 0;
}

static void start_daemon(struct listener *l, const char *cert, const char *key)
{
    const struct listener_config *c = &l->config;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TLS | MHD_ALLOW_SUSPEND_RESUME |
                     MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC;
    struct MHD_OptionItem pool[] = {
        {MHD_OPTION_THREAD_POOL_SIZE, c->network_threads, NULL},
        {MHD_OPTION_END, 0, NULL},
    };

    if (c->network_threads < 2)
        pool[0].option = MHD_OPTION_END;
    l->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, exchange_step, l, MHD_OPTION_HTTPS_MEM_CERT, cert,
        MHD_OPTION_HTTPS_MEM_KEY, key, MHD_OPTION_HTTPS_PRIORITIES, tls_priorities,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, l, MHD_OPTION_NOTIFY_COMPLETED, exchange_end,
        l, MHD_OPTION_URI_LOG_CALLBACK, exchange_begin, l, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY, MHD_OPTION_CONNECTION_LIMIT, c->connections_max,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, c->connections_per_ip, MHD_OPTION_CONNECTION_TIMEOUT,
        c->idle_timeout_s, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, pool, MHD_OPTION_END);
}

/* libmicrohttpd wants the certificate too; the sessions get ours, see tls_attach. */
static enum err begin_daemon(struct listener *l)
{
    struct text cert = text_new(1 << 20);
    struct text key = text_new(1 << 20);
    enum err e = ERR_INVALID;

    if (read_file(l->config.cert_path, &cert) && read_file(l->config.key_path, &key)) {
        start_daemon(l, cert.data, key.data);
        e = l->daemon == NULL ? ERR_INTERNAL : OK;
    }
    if (e != OK)
        log_ours("the network threads cannot be started");
    if (key.data != NULL)
        gnutls_memset(key.data, 0, key.length);
    text_free(&cert);
    text_free(&key);
    return e;
}

static void take_connection(void *cls, int fd, const struct sockaddr *peer, unsigned length)
{
    struct listener *l = cls;

    atomic_fetch_add(&l->accepted, 1);
    /* Past a limit the socket is closed there. */
    (void)MHD_add_connection(l->daemon, fd, peer, length);
}

static enum err begin_threads(struct listener *l)
{
    const struct listener_config *c = &l->config;
    const struct workers_config workers = {
        .conninfo = c->conninfo,
        .threads = {[LANE_READ] = c->read_workers,
                    [LANE_WRITE] = c->write_workers,
                    [LANE_SLOW] = c->slow_workers},
        .queue_max = c->queue_max,
    };

    l->reaper = reaper_start(c->rate_window_s, UPLOAD_RATE);
    l->handshakes = handshakes_start();
    l->workers = workers_start(&workers);
    l->streams = streams_start(c->conninfo, c->streams_max);
    if (c->spool_dir != NULL)
        l->spool = spool_start(c->spool_dir, SPOOL_THREADS, c->uploads_max);
    if (l->reaper != NULL && l->handshakes != NULL && l->workers != NULL && l->streams != NULL &&
        (c->spool_dir == NULL || l->spool != NULL))
        return OK;
    log_ours("the threads of the front door cannot be started");
    return ERR_INTERNAL;
}

/* In this order: bodies that end need workers, workers need connections to answer. */
static void end_threads(struct listener *l)
{
    spool_stop(l->spool);
    if (l->workers != NULL)
        workers_stop(l->workers);
    if (l->daemon != NULL)
        MHD_stop_daemon(l->daemon);
    if (l->handshakes != NULL)
        handshakes_stop(l->handshakes);
    streams_stop(l->streams);
    if (l->reaper != NULL)
        reaper_stop(l->reaper);
    tls_close(l->tls);
    free(l);
}

enum err listener_start(const struct listener_config *config, const struct listener_hooks *hooks,
                        struct listener **out)
{
    struct listener *l = calloc(1, sizeof(*l));
    enum err e;

    *out = NULL;
    if (l == NULL)
        return ERR_INTERNAL;
    l->config = with_defaults(config);
    l->hooks = hooks == NULL ? &dispatch_hooks : hooks;
    raise_file_limit(l->config.connections_max);
    e = tls_open(l->config.cert_path, l->config.key_path, &l->tls);
    if (e == OK)
        e = begin_threads(l);
    if (e == OK)
        e = begin_daemon(l);
    if (e == OK)
        e = acceptor_start(l->config.address, l->config.port, take_connection, l, &l->acceptor);
    if (e != OK) {
        end_threads(l);
        return e;
    }
    l->port = acceptor_port(l->acceptor);
    *out = l;
    return OK;
}

uint16_t listener_port(const struct listener *l)
{
    return l->port;
}

enum err listener_reload_tls(struct listener *l)
{
    return tls_reload(l->tls);
}

void listener_stats(struct listener *l, struct listener_stats *out)
{
    *out = (struct listener_stats){0};
    out->connections = reaper_count(l->reaper);
    out->accepted = atomic_load(&l->accepted);
    out->exchanges = atomic_load(&l->exchanges);
    out->uploads = l->spool == NULL ? 0 : spool_count(l->spool);
    out->streams = streams_count(l->streams);
    for (int i = 0; i < LISTENER_LANES; i++)
        workers_load(l->workers, (enum lane)i, &out->queued[i], &out->busy[i]);
    for (int i = 0; i < 6; i++)
        out->requests[i] = atomic_load(&l->requests[i]);
    out->bytes_in = atomic_load(&l->bytes_in);
    out->bytes_out = atomic_load(&l->bytes_out);
    out->reaped = reaper_reaped(l->reaper);
    for (int i = 0; i <= LISTENER_LATENCIES; i++)
        out->latency[i] = atomic_load(&l->latency[i]);
    out->latency_us = atomic_load(&l->latency_us);
}

/* True when nothing is under way any more; shut_down closes whoever still talks. */
static bool wait_for_silence(struct listener *l, int64_t ms, bool shut_down)
{
    int64_t until = time_steady_ms() + ms;

    while (atomic_load(&l->exchanges) > 0 || (shut_down && handshakes_pending(l->handshakes) > 0)) {
        if (time_steady_ms() >= until)
            return false;
        if (shut_down)
            reaper_close_all(l->reaper);
        (void)usleep(POLL_US);
    }
    return true;
}

void listener_stop(struct listener *l, unsigned drain_ms)
{
    atomic_store(&l->stopping, true);
    acceptor_stop(l->acceptor);
    streams_end(l->streams);
    if (!wait_for_silence(l, drain_ms, false)) {
        atomic_store(&l->abandon, true);
        (void)wait_for_silence(l, LAST_REPLIES_MS, false);
    }
    handshakes_close(l->handshakes);
    reaper_close_all(l->reaper);
    if (!wait_for_silence(l, LAST_CLOSES_MS, true))
        log_ours("%lld requests are still running; waiting for them",
                 (long long)atomic_load(&l->exchanges));
    end_threads(l);
}
