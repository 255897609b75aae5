/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/vkeys.h"

#include "clients/cli/http.h"

#include <string.h>

enum { VKEYS_FILE_MAX = 64 << 10 };

static void take_line(const struct cli *c, const char *path, const char *line, struct vkeys *out)
{
    static const char log_word[] = "log ";
    bool log_line = strncmp(line, log_word, sizeof(log_word) - 1) == 0;
    char *vkey = arena_text(c->arena, log_line ? line + sizeof(log_word) - 1 : line);

    vkey[strcspn(vkey, " \t\r")] = '\0';
    if (*line == '\0' || *line == '#' || strncmp(line, "witness ", 8) == 0 ||
        strncmp(line, "group ", 6) == 0 || strncmp(line, "quorum ", 7) == 0)
        return;
    if (out->count == NOTE_KEYS_MAX || note_vkey_parse(vkey, &out->keys[out->count]) != OK)
        die(USAGE, "%s does not hold a verifier key", path);
    out->count++;
}

void vkeys_read(const struct cli *c, const char *path, struct vkeys *out)
{
    size_t length;
    char *text = file_read(c, path, VKEYS_FILE_MAX, &length);

    out->count = 0;
    for (char *line = text; *line != '\0';) {
        size_t end = strcspn(line, "\n");
        bool more = line[end] == '\n';

        line[end] = '\0';
        take_line(c, path, line, out);
        line += end + (more ? 1 : 0);
    }
    if (out->count == 0)
        die(USAGE, "%s does not hold a verifier key", path);
}

/* "ORIGIN\nkey rotation\nOLD\nNEW\n", signed by the old key: the new one, when all of it is so. */
static bool successor(const char *statement, const struct note_key *old, struct note_key *next)
{
    char vkey[NOTE_VKEY_SIZE], from[NOTE_VKEY_SIZE], to[NOTE_VKEY_SIZE];
    const char *at = statement, *line;
    struct note note;
    size_t length;

    if (statement == NULL || note_open(statement, strlen(statement), old, 1, &note) != NOTE_GOOD)
        return false;
    for (int i = 0; i < 4; i++) {
        line = line_next(&at, note.text + note.length, &length);
        if (line == NULL || length >= NOTE_VKEY_SIZE ||
            (i == 1 && (length != 12 || strncmp(line, "key rotation", length) != 0)))
            return false;
        (void)snprintf(i == 2 ? from : to, NOTE_VKEY_SIZE, "%.*s", (int)length, line);
    }
    note_vkey(old, vkey);
    return strcmp(vkey, from) == 0 && note_vkey_parse(to, next) == OK &&
           strcmp(next->name, old->name) == 0;
}

static bool same(const struct note_key *a, const struct note_key *b)
{
    return strcmp(a->name, b->name) == 0 && memcmp(a->public, b->public, ED25519_KEY) == 0;
}

bool vkeys_follow(const struct cli *c, struct vkeys *known, const struct note_key *to)
{
    const json_t *list = json_object_get(api(c, "GET", "/v1/audit/log/rotations", NULL), "value");

    for (size_t i = 0; i < known->count; i++)
        if (same(&known->keys[i], to))
            return true;
    for (size_t i = 0; i < json_array_size(list) && known->count < NOTE_KEYS_MAX; i++) {
        const char *said = json_string_value(json_object_get(json_array_get(list, i), "statement"));
        struct note_key *next = &known->keys[known->count];

        if (!successor(said, &known->keys[known->count - 1], next))
            continue;
        known->count++;
        if (same(next, to))
            return true;
    }
    return false;
}
