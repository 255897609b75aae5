/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMPUTE_RUNNER_H
#define COMPUTE_RUNNER_H

#include "core/service.h"

/* The threads that take jobs of all tenants and run them in engines, as many at once as the setting
 * jobs_parallel says. A job whose worker died is taken up again when its lease has passed. */
MUST_CHECK enum err runner_start(const struct service *service);
/* Running engines are killed; their jobs go back into the queue. */
void runner_stop(void);
bool runner_stopping(void);

#endif
