/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_FRONT_H
#define SERVICE_FRONT_H

#include "service/acceptor.h"
#include "service/handshake.h"
#include "service/listener.h"
#include "service/reaper.h"
#include "service/stream.h"
#include "service/tls.h"
#include "service/upload.h"
#include "service/wire.h"
#include "service/worker.h"

#include <microhttpd.h>
#include <stdatomic.h>
#include <stdbool.h>

/* What the parts of the front door share. Made in listener_start and then only counted in. */
struct listener {
    struct listener_config config;
    const struct listener_hooks *hooks;
    struct MHD_Daemon *daemon;
    struct tls *tls;
    struct reaper *reaper;
    struct handshakes *handshakes;
    struct workers *workers;
    struct spool *spool; /* NULL without a directory */
    struct streams *streams;
    struct acceptor *acceptor;
    uint16_t port;
    atomic_bool stopping;     /* new requests are refused */
    atomic_bool abandon;      /* and so is what waits */
    atomic_llong body_memory; /* bytes held for bodies */
    atomic_llong accepted;
    atomic_llong exchanges;
    atomic_llong requests[6];
    atomic_llong bytes_in;
    atomic_llong bytes_out;
    atomic_llong latency[LISTENER_LATENCIES + 1];
    atomic_llong latency_us;
};

#endif
