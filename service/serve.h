/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_SERVE_H
#define SERVICE_SERVE_H

#include "core/config.h"
#include "core/err.h"

/* Start everything, serve until SIGTERM or SIGINT, stop everything. SIGTERM, SIGINT, SIGHUP and
 * SIGPIPE must be blocked already, so that only this thread takes them. reload reads the settings
 * again into *fresh, which config_free ends; SIGHUP calls it. Logs why a start fails. */
MUST_CHECK enum err serve(const struct config *c, enum err (*reload)(struct config *fresh));

#endif
