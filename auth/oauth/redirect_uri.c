/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/oauth/client.h"

#include <string.h>

static const char *const loopbacks[] = {"http://127.0.0.1", "http://[::1]", NULL};

/* Where the port of a loopback address would begin; NULL for any other address. */
static const char *after_loopback(const char *uri)
{
    for (size_t i = 0; loopbacks[i] != NULL; i++) {
        size_t length = strlen(loopbacks[i]);

        if (strncmp(uri, loopbacks[i], length) == 0 && strchr(":/", uri[length]) != NULL)
            return uri + length; /* ':' or '/' or the end */
    }
    return NULL;
}

/* NULL when what follows ':' is no port. */
static const char *skip_port(const char *p)
{
    size_t digits;

    if (*p != ':')
        return p;
    digits = strspn(p + 1, "0123456789");
    return digits == 0 || digits > 5 ? NULL : p + 1 + digits;
}

static bool matches(const char *registered, const char *uri)
{
    const char *mine = after_loopback(registered);
    const char *theirs = after_loopback(uri);

    if (strcmp(registered, uri) == 0)
        return true;
    if (mine == NULL || theirs == NULL || mine - registered != theirs - uri ||
        strncmp(registered, uri, (size_t)(mine - registered)) != 0)
        return false;
    mine = skip_port(mine);
    theirs = skip_port(theirs);
    return mine != NULL && theirs != NULL && strcmp(mine, theirs) == 0;
}

bool redirect_uri_matches(const struct texts *registered, const char *uri)
{
    for (size_t i = 0; i < registered->count; i++)
        if (matches(registered->items[i], uri))
            return true;
    return false;
}

/* RFC 8252 §7.1: a private scheme is a name its owner has reversed, so it has a dot. */
static bool private_scheme(const char *uri)
{
    size_t n = strspn(uri, "abcdefghijklmnopqrstuvwxyz0123456789.-+");

    return n > 2 && uri[n] == ':' && uri[0] >= 'a' && uri[0] <= 'z' && memchr(uri, '.', n) != NULL;
}

bool redirect_uri_valid(const char *uri)
{
    const char *rest = after_loopback(uri);

    for (const unsigned char *c = (const unsigned char *)uri; *c != '\0'; c++)
        if (*c <= ' ' || *c >= 0x7f || strchr("#\"<>\\^`{|};,'", *c) != NULL)
            return false;
    if (rest != NULL) {
        rest = skip_port(rest);
        return rest != NULL && (*rest == '/' || *rest == '\0');
    }
    if (strncmp(uri, "https://", 8) != 0)
        return private_scheme(uri);
    return uri[8] != '\0' && uri[8] != '/' && memchr(uri + 8, '@', strcspn(uri + 8, "/?")) == NULL;
}
