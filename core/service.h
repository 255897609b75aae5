/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SERVICE_H
#define CORE_SERVICE_H

#include "core/config.h"
#include "core/crypto.h"

#include <stdbool.h>
#include <stdint.h>

/* What the background parts of every floor are started with. Made once in main and the same until
 * the process ends, so parts may keep the pointer. A part has
 *     enum err x_start(const struct service *service);   and   void x_stop(void);
 * and a line in service/parts.def. Its threads inherit a mask that blocks every signal the service
 * handles; a child process must unblock them before exec. */
struct service {
    const struct config *config;
    const char *home;        /* absolute */
    const char *conninfo;    /* of the role chancery_app; for db_open */
    const char *url;         /* https://…, no slash at the end; what clients call us */
    const char *engine_path; /* the program chancery-engine, absolute */
    const char *version;
    const uint8_t *key; /* SEAL_KEY bytes */
    bool root;          /* the service runs as uid 0 and engines must not */
};

#endif
