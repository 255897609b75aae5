/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PROFILE_H
#define CLI_PROFILE_H

#include <stdbool.h>

struct cli;

/* Where the service is and who asks it. Kept by name in one file that only its owner can read:
 * $CHANCERY_CONFIG, else chancery/config.json in $XDG_CONFIG_HOME or ~/.config. */
struct profile {
    const char *name;
    const char *url;
    const char *ca; /* PEM file that vouches for the service; NULL: what the system trusts */
    const char *tenant;
    const char *user;
    const char *token;
    const char *project;
    const char *known; /* the cookie by which sign-ins from here are told from those of strangers */
};

/* Fill c->profile: options win over the environment (CHANCERY_URL, _CA, _TENANT, _TOKEN, _PROJECT),
 * the environment over the file. Dies when the file is not JSON or others may read it. */
void profile_load(struct cli *c);
/* Write c->profile back under its name. */
void profile_save(const struct cli *c);

#endif
