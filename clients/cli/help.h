/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "clients/cli/cli.h"

#include <stdio.h>

int run_help(struct cli *c);
int help_command(const struct cli *c, const struct command *command);
void help_usage(FILE *out);

#endif
