/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_CLUSTER_FILES_H
#define SERVICE_CLUSTER_FILES_H

#include "service/cluster.h"

/* postgresql.conf, pg_hba.conf and pg_ident.conf, from the settings. */
MUST_CHECK enum err cluster_files(const struct cluster *k, const struct config *c);

#endif
