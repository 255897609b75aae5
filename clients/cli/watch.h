/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_WATCH_H
#define CLI_WATCH_H

#include "clients/cli/cli.h"

/* Follow a job's events to its end, over lost connections too, and print what came of it. With
 * --json each event is one line. DONE when it succeeded, else REFUSED. */
int watch_job(struct cli *c, const char *id);

#endif
