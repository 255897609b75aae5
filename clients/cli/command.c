/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/command.h"

#include "clients/cli/run.h"

const char global_options[] =
    "--profile NAME --url URL --ca FILE --project P --json --quiet --help";

const struct command commands[] = {
#define COMMAND(n, a, o, f, h) {.name = (n), .args = (a), .options = (o), .help = (h), .run = (f)},
#define LIST(n, a, o, p, c, h)                                                                     \
    {.name = (n),                                                                                  \
     .args = (a),                                                                                  \
     .options = o " --limit N",                                                                    \
     .help = (h),                                                                                  \
     .run = run_list,                                                                              \
     .path = (p),                                                                                  \
     .columns = (c)},
#define SHOW(n, a, p, h)                                                                           \
    {.name = (n), .args = (a), .options = "", .help = (h), .run = run_show, .path = (p)},
#define ACT(n, a, m, p, h)                                                                         \
    {.name = (n),                                                                                  \
     .args = (a),                                                                                  \
     .options = "",                                                                                \
     .help = (h),                                                                                  \
     .run = run_act,                                                                               \
     .method = (m),                                                                                \
     .path = (p)},
#include "clients/cli/commands.def"
};
const size_t commands_count = sizeof(commands) / sizeof(commands[0]);
