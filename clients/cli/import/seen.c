/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/import/seen.h"

#include "clients/cli/cli.h"
#include "core/crypto.h"

#include <stdlib.h>
#include <string.h>

enum { KEY = 16, ROOM_LEAST = 64, MEMBERS_MAX = 16 << 20 };

/* Open addressing; a slot of zeros is free. */
struct seen {
    unsigned char (*slots)[KEY];
    size_t room; /* a power of two */
    size_t count;
};

struct seen *seen_new(void)
{
    struct seen *s = calloc(1, sizeof(*s));

    if (s != NULL)
        s->slots = calloc(ROOM_LEAST, KEY);
    if (s == NULL || s->slots == NULL)
        die(FAILED, "there is no memory");
    s->room = ROOM_LEAST;
    return s;
}

void seen_free(struct seen *s)
{
    if (s != NULL)
        free(s->slots);
    free(s);
}

static bool is_free(const unsigned char slot[KEY])
{
    static const unsigned char zeros[KEY];

    return memcmp(slot, zeros, KEY) == 0;
}

/* Where the key is, or would be. */
static size_t place(const struct seen *s, const unsigned char key[KEY])
{
    size_t at;

    memcpy(&at, key, sizeof(at));
    at &= s->room - 1;
    while (!is_free(s->slots[at]) && memcmp(s->slots[at], key, KEY) != 0)
        at = (at + 1) & (s->room - 1);
    return at;
}

static void grow(struct seen *s)
{
    struct seen bigger = {.room = s->room * 2, .count = s->count};

    if (s->count >= MEMBERS_MAX)
        die(FAILED, "a list or a metric of the source has more than %d members", MEMBERS_MAX);
    bigger.slots = calloc(bigger.room, KEY);
    if (bigger.slots == NULL)
        die(FAILED, "there is no memory");
    for (size_t i = 0; i < s->room; i++)
        if (!is_free(s->slots[i]))
            memcpy(bigger.slots[place(&bigger, s->slots[i])], s->slots[i], KEY);
    free(s->slots);
    *s = bigger;
}

bool seen_add(struct seen *s, const void *data, size_t length)
{
    struct digest d = sha256_of(data, length);
    size_t at = place(s, d.bytes);

    if (!is_free(s->slots[at]))
        return false;
    memcpy(s->slots[at], d.bytes, KEY);
    if (++s->count > s->room / 2)
        grow(s);
    return true;
}

bool seen_has(const struct seen *s, const void *data, size_t length)
{
    struct digest d = sha256_of(data, length);

    return !is_free(s->slots[place(s, d.bytes)]);
}

size_t seen_count(const struct seen *s)
{
    return s->count;
}
