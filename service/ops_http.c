/* SPDX-License-Identifier: Apache-2.0 */
#include "service/ops.h"

#include "auth/limit.h"
#include "lineage/audit.h"
#include "service/handlers.h"
#include "service/openapi.h"
#include "service/version.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static struct {
    pthread_mutex_t lock;
    struct listener *listener;
} watched = {.lock = PTHREAD_MUTEX_INITIALIZER};

void ops_watch(struct listener *listener)
{
    pthread_mutex_lock(&watched.lock);
    watched.listener = listener;
    pthread_mutex_unlock(&watched.lock);
}

static bool read_stats(struct listener_stats *stats)
{
    bool there;

    pthread_mutex_lock(&watched.lock);
    there = watched.listener != NULL;
    if (there)
        listener_stats(watched.listener, stats);
    pthread_mutex_unlock(&watched.lock);
    return there;
}

/* GET /healthz */
enum err get_healthz(struct request *rq)
{
    return request_reply_bytes(rq, "text/plain; charset=utf-8", "ok\n", 3);
}

QUERY(ready_sql, "SELECT 1");

/* GET /readyz */
enum err get_readyz(struct request *rq)
{
    PGresult *result;

    TRY(db_rows(rq->db, &ready_sql, &result, NO_PARAMS));
    if (!audit_available(NULL))
        return fail(rq, ERR_UNAVAILABLE, "an audit log cannot be extended");
    return request_reply_bytes(rq, "text/plain; charset=utf-8", "ready\n", 6);
}

/* The release of MLflow whose interface this is: its clients want to read that and nothing else. */
static const char mlflow_release[] = "3.16.1";

/* GET /version */
enum err get_service_version(struct request *rq)
{
    const char *agent = request_header(rq, "user-agent");

    if (agent != NULL && strncmp(agent, "mlflow-", 7) == 0)
        return request_reply_bytes(rq, "text/plain; charset=utf-8", mlflow_release,
                                   sizeof(mlflow_release) - 1);
    return request_reply_json(
        rq, json_pack("{s:s, s:s}", "name", "chancery", "version", CHANCERY_VERSION));
}

/* GET /openapi.json */
enum err get_openapi(struct request *rq)
{
    return request_reply_json(rq, openapi_document());
}

static void counter(struct text *t, const char *name, const char *kind, const char *help)
{
    text_printf(t, "# HELP chancery_%s %s\n# TYPE chancery_%s %s\n", name, help, name, kind);
}

static void single(struct text *t, const char *name, const char *kind, const char *help,
                   int64_t value)
{
    counter(t, name, kind, help);
    text_printf(t, "chancery_%s %lld\n", name, (long long)value);
}

static void requests_text(struct text *t, const struct listener_stats *s)
{
    counter(t, "requests_total", "counter",
            "Requests by first digit of their status; 0: client left.");
    for (int i = 0; i < 6; i++)
        text_printf(t, "chancery_requests_total{class=\"%d\"} %lld\n", i,
                    (long long)s->requests[i]);
}

static void latency_text(struct text *t, const struct listener_stats *s)
{
    int64_t sum = 0;

    counter(t, "request_seconds", "histogram", "Time from a request's headers to its reply.");
    for (int i = 0; i < LISTENER_LATENCIES; i++) {
        sum += s->latency[i];
        text_printf(t, "chancery_request_seconds_bucket{le=\"%g\"} %lld\n",
                    listener_latency_bounds[i], (long long)sum);
    }
    sum += s->latency[LISTENER_LATENCIES];
    text_printf(t,
                "chancery_request_seconds_bucket{le=\"+Inf\"} %lld\n"
                "chancery_request_seconds_sum %g\nchancery_request_seconds_count %lld\n",
                (long long)sum, (double)s->latency_us / 1e6, (long long)sum);
}

static void lanes_text(struct text *t, const struct listener_stats *s)
{
    static const char *const lanes[LISTENER_LANES] = {"read", "write", "slow"};

    counter(t, "queue_depth", "gauge", "Requests waiting for a worker.");
    for (int i = 0; i < LISTENER_LANES; i++)
        text_printf(t, "chancery_queue_depth{lane=\"%s\"} %lld\n", lanes[i],
                    (long long)s->queued[i]);
    counter(t, "workers_busy", "gauge", "Workers serving a request.");
    for (int i = 0; i < LISTENER_LANES; i++)
        text_printf(t, "chancery_workers_busy{lane=\"%s\"} %lld\n", lanes[i],
                    (long long)s->busy[i]);
}

static void limits_text(struct text *t)
{
    counter(t, "limited_total", "counter", "Requests refused as too many, by limit.");
    for (unsigned i = 0; i < LIMIT_COUNTERS; i++) {
        int64_t refused;
        const char *name = limit_counter(i, &refused);

        text_printf(t, "chancery_limited_total{limit=\"%s\"} %lld\n", name, (long long)refused);
    }
}

static void metrics_text(struct text *t, const struct listener_stats *s)
{
    single(t, "connections", "gauge", "Connections open now.", s->connections);
    single(t, "connections_accepted_total", "counter", "Connections ever accepted.", s->accepted);
    single(t, "connections_reaped_total", "counter", "Connections closed for slowness.", s->reaped);
    single(t, "received_bytes_total", "counter", "Bytes of request bodies.", s->bytes_in);
    single(t, "sent_bytes_total", "counter", "Bytes of reply bodies.", s->bytes_out);
    single(t, "uploads", "gauge", "Streamed bodies being received.", s->uploads);
    single(t, "streams", "gauge", "Replies that stay open.", s->streams);
    single(t, "audit_available", "gauge", "1 while every audit log can be extended.",
           audit_available(NULL));
    requests_text(t, s);
    lanes_text(t, s);
    limits_text(t);
    latency_text(t, s);
}

/* GET /metrics (Prometheus text exposition format 0.0.4) */
enum err get_metrics(struct request *rq)
{
    struct listener_stats stats;
    struct text t = text_new(64 << 10);

    if (read_stats(&stats))
        metrics_text(&t, &stats);
    arena_own(rq->arena, t.data, free);
    return request_reply_bytes(rq, "text/plain; version=0.0.4; charset=utf-8",
                               t.data == NULL ? "" : t.data, t.length);
}
