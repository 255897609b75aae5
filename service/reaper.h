/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_REAPER_H
#define SERVICE_REAPER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Deadlines of connections. libmicrohttpd only knows inactivity, which one byte a second defeats; a
 * thread of ours shuts sockets down whose time is up, and the network thread then finds them
 * closed. */
struct reaper;
struct tls_credential;
struct handshakes;
struct MHD_Connection;
struct wire;

struct conn {
    struct conn *older;
    struct conn *newer;
    int fd;
    struct tls_credential *credential;
    struct handshakes *handshakes;
    struct MHD_Connection *connection;
    bool established; /* the TLS handshake is over */
    bool watched;     /* the socket is known to the handshakes' epoll */
    struct wire *wire;
    char remote[64];
    atomic_llong deadline;  /* steady milliseconds; 0: none */
    atomic_llong received;  /* bytes of streamed bodies */
    atomic_llong rated;     /* steady milliseconds since when a least rate holds; 0: none */
    long long window_rated; /* the reaper's own: the window being measured */
    long long window_start;
    long long window_received;
};

/* least bytes a second over any window_s seconds for rated connections. NULL: out of threads. */
struct reaper *reaper_start(unsigned window_s, unsigned least);
void reaper_stop(struct reaper *r);
struct conn *reaper_add(struct reaper *r, int fd);
/* Must precede the close of the socket. Frees c. */
void reaper_remove(struct reaper *r, struct conn *c);
/* Shut every socket down. */
void reaper_close_all(struct reaper *r);
long long reaper_count(struct reaper *r);
long long reaper_reaped(struct reaper *r);

/* From any thread. Seconds from now; 0 for no deadline. */
void conn_deadline(struct conn *c, long long seconds);
void conn_rated(struct conn *c, bool on);
void conn_progress(struct conn *c, long long bytes);

#endif
