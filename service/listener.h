/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_LISTENER_H
#define SERVICE_LISTENER_H

#include "core/request.h"

#include <stdint.h>

/* The front door: TLS, HTTP/1.1 and the threads between a socket and a handler. Everything a client
 * can get wrong before there is a request is answered here; what a request means is not known here.
 */
struct listener;

/* What is done with a request. run, ahead, admit and lane see rq->db only in the first three. */
struct listener_hooks {
    enum err (*route)(struct request *rq); /* network thread; on failure the reply is ready */
    enum err (*body)(struct request *rq);  /* network thread, body in memory; likewise; or NULL */
    enum lane (*lane)(const struct request *rq); /* network thread */
    enum err (*admit)(struct request *rq);       /* worker; before a streamed body is accepted */
    void (*ahead)(struct request *rq);           /* worker, before several runs; or NULL */
    void (*run)(struct request *rq);             /* worker */
    /* After run: false, or done(arg) is called later, on any thread. NULL: never waits. */
    bool (*hold)(struct request *rq, void (*done)(void *arg), void *arg);
    void (*leave)(struct request *rq); /* network thread, right before the reply; or NULL */
    void (*refuse)(struct request *rq, enum err e, const char *detail);
};

/* Texts are borrowed until listener_stop. 0 and NULL take the default in brackets. */
struct listener_config {
    const char *address;   /* numeric (127.0.0.1) */
    uint16_t port;         /* 0 picks one */
    const char *cert_path; /* PEM chain, needed */
    const char *key_path;  /* PEM key, needed */
    const char *spool_dir; /* existing directory for bodies on their way; NULL: none are accepted */
    const char *conninfo;  /* NULL: workers have no database */
    unsigned network_threads;    /* (cores, at most 4) */
    unsigned read_workers;       /* (2 a core, at most 16) */
    unsigned write_workers;      /* (8 a core, at most 32) */
    unsigned slow_workers;       /* (4) */
    unsigned queue_max;          /* requests waiting, per lane (512) */
    unsigned connections_max;    /* (20000) */
    unsigned connections_per_ip; /* 0: no limit */
    unsigned uploads_max;        /* streamed bodies at once, 2 MiB of memory each (128) */
    unsigned streams_max;        /* (200) */
    int64_t body_max;            /* bytes of a body held in memory (1 MiB) */
    int64_t upload_max;          /* bytes of a streamed body (64 GiB) */
    unsigned header_timeout_s;   /* from accept or request line to the end of the headers (10) */
    unsigned body_timeout_s;     /* for a body held in memory (60) */
    unsigned idle_timeout_s;     /* between requests, and without progress (60) */
    unsigned rate_window_s;      /* a streamed body brings 1 KiB/s over any such time (30) */
};

enum { LISTENER_LATENCIES = 14, LISTENER_LANES = 3 };

/* Upper bounds of the latency classes, seconds; the class after the last has none. */
extern const double listener_latency_bounds[LISTENER_LATENCIES];

struct listener_stats {
    int64_t connections;            /* open now */
    int64_t accepted;               /* ever */
    int64_t exchanges;              /* requests between their request line and their last byte */
    int64_t uploads;                /* streamed bodies being received */
    int64_t streams;                /* replies that stay open */
    int64_t queued[LISTENER_LANES]; /* by enum lane */
    int64_t busy[LISTENER_LANES];   /* workers */
    int64_t requests[6]; /* by first digit of the status; [0]: the client left before a reply */
    int64_t bytes_in;    /* of bodies */
    int64_t bytes_out;   /* of bodies */
    int64_t reaped;      /* connections closed for slowness */
    int64_t latency[LISTENER_LATENCIES + 1]; /* request headers complete to reply ready */
    int64_t latency_us;                      /* sum */
};

/* Bind, make the threads and serve. hooks NULL is service/dispatch.h. Failures are logged with
 * their cause: ERR_INVALID for the address, certificate or key, ERR_UNAVAILABLE for the port. */
MUST_CHECK enum err listener_start(const struct listener_config *config,
                                   const struct listener_hooks *hooks, struct listener **out);
uint16_t listener_port(const struct listener *l);
/* Read certificate and key again for connections to come; what cannot be used changes nothing. */
MUST_CHECK enum err listener_reload_tls(struct listener *l);
void listener_stats(struct listener *l, struct listener_stats *out);
/* Take no more connections, answer new requests 503, let what runs end within drain_ms, stop. */
void listener_stop(struct listener *l, unsigned drain_ms);

#endif
