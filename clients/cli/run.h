/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include "clients/cli/cli.h"

/* The functions that commands.def names. Each returns what the shell is told. */
int run_list(struct cli *c);
int run_show(struct cli *c);
int run_act(struct cli *c);
#define COMMAND(n, a, o, function, h) int function(struct cli *c);
#define LIST(n, a, o, p, c, h)
#define SHOW(n, a, p, h)
#define ACT(n, a, m, p, h)
#include "clients/cli/commands.def"
#undef COMMAND
#undef LIST
#undef SHOW
#undef ACT

#endif
