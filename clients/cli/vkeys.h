/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_VKEYS_H
#define CLI_VKEYS_H

#include "clients/cli/cli.h"
#include "lineage/note.h"

/* Keys that a log signs with. */
struct vkeys {
    struct note_key keys[NOTE_KEYS_MAX];
    size_t count;
};

/* From a file with a verifier key a line, or a C2SP tlog-policy ("log VKEY"; its other lines are
 * passed over). Dies when it holds none. */
void vkeys_read(const struct cli *c, const char *path, struct vkeys *out);
/* Whether trust leads from a key to another by what the service says each key said of its
 * successor; every key on the way is added. */
bool vkeys_follow(const struct cli *c, struct vkeys *known, const struct note_key *to);

#endif
