/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/condition.h"

#include "core/text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum { HOUR_MS = 3600000, MFA_MAX_S = 86400 * 30 };

static const char *const usual_names[] = {"public", "internal", "confidential", "restricted"};
const struct levels usual_levels = {usual_names, 4};

int level_find(const struct levels *levels, const char *name)
{
    for (size_t i = 0; i < levels->count; i++)
        if (strcmp(levels->names[i], name) == 0)
            return (int)i;
    return -1;
}

static const char *const attributes[] = {
    [ON_CLASSIFICATION] = "classification",
    [ON_TAG] = "tag.",
    [ON_ALIAS] = "alias",
    [ON_NETWORK] = "network",
    [ON_HOUR] = "hour",
    [ON_MFA_AGE] = "mfa_age",
    [ON_PURPOSE] = "purpose",
    [ON_GIVES] = "gives",
    [ON_TO] = "to",
};
static const char *const operators[] = {
    [IS_EQUAL] = "=", [IS_NOT] = "!=",      [IS_LESS] = "<", [IS_AT_MOST] = "<=",
    [IS_MORE] = ">",  [IS_AT_LEAST] = ">=", [IS_IN] = "in",
};

/* The next word, up to a blank; its length, 0 at the end. */
static size_t word(const char **at, char out[CONDITION_VALUE])
{
    size_t length;

    *at += strspn(*at, " ");
    length = strcspn(*at, " ");
    if (length < CONDITION_VALUE) {
        memcpy(out, *at, length);
        out[length] = '\0';
    }
    *at += length;
    return length;
}

static bool find_attribute(const char *text, struct predicate *p)
{
    if (strncmp(text, "tag.", 4) == 0 && name_valid(text + 4)) {
        p->on = ON_TAG;
        (void)snprintf(p->key, sizeof(p->key), "%.63s", text + 4);
        return true;
    }
    for (unsigned i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++)
        if (i != ON_TAG && strcmp(attributes[i], text) == 0) {
            p->on = (enum condition_on)i;
            return true;
        }
    return false;
}

static bool find_operator(const char *text, struct predicate *p)
{
    bool ordered = p->on == ON_CLASSIFICATION || p->on == ON_HOUR || p->on == ON_MFA_AGE;

    for (unsigned i = 0; i < sizeof(operators) / sizeof(operators[0]); i++)
        if (strcmp(operators[i], text) == 0) {
            p->is = (enum condition_is)i;
            if (i == IS_IN)
                return p->on == ON_NETWORK || p->on == ON_GIVES;
            return p->on != ON_NETWORK && (i <= IS_NOT || ordered);
        }
    return false;
}

static bool read_address(const char *text, unsigned char out[16])
{
    memset(out, 0, 16);
    if (inet_pton(AF_INET6, text, out) == 1)
        return true;
    memset(out + 10, 0xFF, 2);
    return inet_pton(AF_INET, text, out + 12) == 1;
}

/* 10.0.0.0/8 or fd00::/8. */
static bool read_network(const char *text, struct predicate *p)
{
    char address[CONDITION_VALUE];
    size_t length = strcspn(text, "/");
    bool four = strchr(text, ':') == NULL;
    uint64_t bits;

    if (text[length] == '\0' || !uint_parse(text + length + 1, four ? 32 : 128, &bits))
        return false;
    (void)snprintf(address, sizeof(address), "%.*s", (int)length, text);
    p->number = (int64_t)bits + (four ? 96 : 0);
    return read_address(address, p->address);
}

static bool read_value(const char *text, const struct levels *levels, struct predicate *p)
{
    uint64_t number;

    (void)snprintf(p->value, sizeof(p->value), "%s", text);
    switch (p->on) {
    case ON_CLASSIFICATION:
        p->number = level_find(levels, text);
        return p->number >= 0;
    case ON_NETWORK:
        return read_network(text, p);
    case ON_HOUR:
    case ON_MFA_AGE:
        if (!uint_parse(text, p->on == ON_HOUR ? 23 : MFA_MAX_S, &number))
            return false;
        p->number = (int64_t)number;
        return true;
    case ON_TAG:
    case ON_ALIAS:
    case ON_PURPOSE:
    case ON_GIVES:
        return *text != '\0';
    case ON_TO:
        return strcmp(text, "user") == 0 || strcmp(text, "service") == 0 ||
               strcmp(text, "group") == 0;
    }
    return false;
}

static const char *read_predicate(const char **at, const struct levels *levels, struct predicate *p)
{
    char text[CONDITION_VALUE] = "";

    *p = (struct predicate){.number = 0};
    if (word(at, text) >= CONDITION_VALUE || !find_attribute(text, p))
        return "compare classification, tag.KEY, alias, network, hour, mfa_age, purpose, gives or "
               "to";
    if (word(at, text) >= CONDITION_VALUE || !find_operator(text, p))
        return "compare by = or !=; levels, hours and ages by < <= > >= too; a network and what is "
               "given by in";
    if (word(at, text) >= CONDITION_VALUE || !read_value(text, levels, p))
        return "that is no value to compare with: a level of the tenant, a prefix such as "
               "10.0.0.0/8, an hour from 0 to 23, seconds, or a word";
    return NULL;
}

bool condition_parse(const char *text, const struct levels *levels, struct condition *out,
                     const char **why)
{
    const char *at = text;
    char joint[CONDITION_VALUE] = "";

    *out = (struct condition){.count = 0};
    *why = "is longer than 500 bytes";
    if (strlen(text) >= CONDITION_SIZE)
        return false;
    memcpy(out->text, text, strlen(text) + 1);
    for (;;) {
        *why = "has more than eight comparisons";
        if (out->count == CONDITION_PREDICATES)
            return false;
        *why = read_predicate(&at, levels, &out->predicates[out->count]);
        if (*why != NULL)
            return false;
        out->count++;
        if (word(&at, joint) == 0)
            return true;
        *why = "comparisons are joined by and";
        if (strcmp(joint, "and") != 0)
            return false;
    }
}

static bool compare(enum condition_is is, int64_t a, int64_t b)
{
    switch (is) {
    case IS_EQUAL:
        return a == b;
    case IS_NOT:
        return a != b;
    case IS_LESS:
        return a < b;
    case IS_AT_MOST:
        return a <= b;
    case IS_MORE:
        return a > b;
    case IS_AT_LEAST:
        return a >= b;
    case IS_IN:
        break;
    }
    return false;
}

/* A text that is not known is equal to nothing, and not unequal either. */
static bool same(const struct predicate *p, const char *text)
{
    return text != NULL && (strcmp(text, p->value) == 0) == (p->is == IS_EQUAL);
}

/* Is it one of a list with commas between? */
static bool listed(const struct predicate *p, const char *text)
{
    size_t length = text == NULL ? 0 : strlen(text);

    if (p->is != IS_IN)
        return same(p, text);
    for (const char *at = p->value; length > 0 && *at != '\0'; at += strcspn(at, ",")) {
        at += *at == ',';
        if (strcspn(at, ",") == length && strncmp(at, text, length) == 0)
            return true;
    }
    return false;
}

static bool inside(const struct predicate *p, const char *remote)
{
    unsigned char address[16];
    size_t bytes = (size_t)p->number / 8;
    unsigned rest = (unsigned)p->number % 8;

    if (remote == NULL || !read_address(remote, address) || memcmp(address, p->address, bytes) != 0)
        return false;
    return rest == 0 || ((address[bytes] ^ p->address[bytes]) >> (8 - rest)) == 0;
}

static bool holds(const struct predicate *p, const struct circumstances *now,
                  const struct condition_asset *asset, int64_t now_ms)
{
    static const struct circumstances unknown = {.mfa_age_s = -1};

    now = now == NULL ? &unknown : now;
    switch (p->on) {
    case ON_CLASSIFICATION:
        return compare(p->is, asset->level, p->number);
    case ON_TAG:
        return same(p, asset->tag == NULL ? NULL : asset->tag(asset->asset, p->key));
    case ON_HOUR:
        return compare(p->is, now_ms / HOUR_MS % 24, p->number);
    case ON_ALIAS:
        return now->assume || same(p, now->alias);
    case ON_NETWORK:
        return now->assume || inside(p, now->remote);
    case ON_MFA_AGE:
        return now->assume || (now->mfa_age_s >= 0 && compare(p->is, now->mfa_age_s, p->number));
    case ON_PURPOSE:
        return now->assume || same(p, now->purpose);
    case ON_GIVES:
        return now->assume || listed(p, now->gives);
    case ON_TO:
        return now->assume || same(p, now->to);
    }
    return false;
}

bool condition_holds(const struct condition *c, const struct circumstances *now,
                     const struct condition_asset *asset, int64_t now_ms)
{
    for (size_t i = 0; i < c->count; i++)
        if (!holds(&c->predicates[i], now, asset, now_ms))
            return false;
    return c->count > 0;
}
