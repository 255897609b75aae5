/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_CLUSTER_H
#define SERVICE_CLUSTER_H

#include "core/arena.h"
#include "core/config.h"
#include "core/err.h"
#include "service/home.h"
#include "service/process.h"

/* The files of the private PostgreSQL cluster, all below home/postgres and owned by the user it
 * runs as: "postgres" when the service runs as root (which PostgreSQL refuses to), else the
 * service's own.
 *
 *   data/    the cluster;  data.new/ while initdb works on it
 *   socket/  the unix socket, 0700: nobody else gets as far as asking who they are. When its path
 *            would be longer than a socket's address holds, the file socket_dir names another place
 *   log/     a week of logs
 *   *.conf   written anew at every start, from the settings
 *
 * Only the service's and the cluster's users are let in, by the kernel's word (peer). */
struct cluster {
    const char *bin; /* directory of initdb and postgres */
    const char *dir; /* home/postgres */
    const char *data;
    const char *socket; /* directory; also the host of a connection */
    const char *output; /* home/postgres.log: what PostgreSQL says before it has its own log */
    struct user user;   /* the cluster's */
    struct user self;   /* the service's */
};

extern const char *const cluster_environment[];

/* Where things are, or would be. Changes nothing but a missing socket directory. Logs why not. */
MUST_CHECK enum err cluster_find(struct cluster *k, struct arena *a, const struct config *c,
                                 const struct home *home);
/* Directories, initdb when there is no cluster yet, and the configuration. Needs the home's lock.
 */
MUST_CHECK enum err cluster_make(const struct cluster *k, const struct config *c);
bool cluster_exists(const struct cluster *k);

/* Wait for the processes that an earlier run left behind, and ask them to end. */
MUST_CHECK enum err cluster_wait_gone(const struct cluster *k);

/* The last words of PostgreSQL's start, for our log; an arena text. */
const char *cluster_last_words(const struct cluster *k, struct arena *a);

/* The role and connection parameters of a superuser of the cluster, and a database. */
const char *cluster_conninfo(const struct cluster *k, struct arena *a, const char *database);

#endif
