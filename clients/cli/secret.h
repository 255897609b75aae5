/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SECRET_H
#define CLI_SECRET_H

#include "clients/cli/cli.h"

/* A secret is never an argument, where everyone on the machine could read it: with --password-stdin
 * (or --token-stdin) it is the next line of standard input, else the environment variable, else
 * asked at the terminal without echo, twice if it is new. Dies when there is none. */
const char *secret_password(const struct cli *c, const char *variable, const char *prompt);
const char *secret_new(const struct cli *c, const char *variable, const char *prompt);
/* The next line of standard input, without its end. */
const char *secret_line(const struct cli *c);

#endif
