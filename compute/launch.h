/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMPUTE_LAUNCH_H
#define COMPUTE_LAUNCH_H

#include "compute/spawn.h"
#include "core/service.h"

#include <stdbool.h>

/* Engines with the limits of this installation. */
struct launch {
    const char *mode;
    int input; /* -1 for none */
    int output;
    int model;
    bool job; /* runs at low priority with the limits of a job; else it serves */
};

/* Called once at the start. */
void launch_configure(const struct service *service);
MUST_CHECK enum err launch(struct engine *engine, const struct launch *what);

#endif
