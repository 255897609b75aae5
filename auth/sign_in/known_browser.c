/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/sign_in/known_browser.h"

#include "auth/oauth/opaque.h"

#include <string.h>

#define COOKIE  "__Host-chancery-known-"
#define SECONDS "7776000" /* KNOWN_DAYS */

enum { ID_BYTES = 16, ID = 22, MARK = 22, NAME_MARK = 8, MAC = 43, TIME_MAX = 12, LONGEST = 110 };

const char *known_browser_account(struct arena *a, const char *tenant, const char *user)
{
    return arena_printf(a, "%s/%s", tenant, user);
}

static const char *mark_of(struct arena *a, const char *account)
{
    return arena_copy(a, opaque_mac(a, "known account", account), MARK);
}

/* "ID.SECONDS.MARK.MAC"; its id when the MAC is ours, it is fresh and, unless NULL, for the mark.
 */
static const char *open_cookie(struct arena *a, const char *value, const char *mark)
{
    size_t length = strlen(value);
    const char *dot = length > LONGEST ? NULL : strchr(value, '.');
    const char *wanted;
    uint64_t made;

    if (dot == NULL || dot - value != ID || length < ID + MARK + MAC + 4)
        return NULL;
    wanted = opaque_mac(a, "known browser", arena_copy(a, value, length - MAC - 1));
    if (value[length - MAC - 1] != '.' || !secret_equal(value + length - MAC, wanted, MAC))
        return NULL;
    if (mark != NULL && strncmp(value + length - MAC - 1 - MARK, mark, MARK) != 0)
        return NULL;
    if (!uint_parse(arena_copy(a, dot + 1, strcspn(dot + 1, ".")), INT64_MAX / 1000, &made) ||
        time_now_ms() / 1000 - (int64_t)made > KNOWN_DAYS * 86400LL)
        return NULL;
    return arena_copy(a, value, ID);
}

/* The next of our cookies in the header; NULL at the end. */
static const char *next_cookie(struct request *rq, const char **header)
{
    const char *p = *header;
    const char *value = NULL;

    while (p != NULL && *p != '\0' && value == NULL) {
        p += strspn(p, " ;");
        if (strncmp(p, COOKIE, sizeof(COOKIE) - 1) == 0) {
            size_t name = strcspn(p, "=;");

            if (p[name] == '=')
                value = arena_copy(rq->arena, p + name + 1, strcspn(p + name + 1, "; "));
        }
        p += strcspn(p, ";");
    }
    *header = p;
    return value;
}

const char *known_browser_id(struct request *rq, const char *account)
{
    const char *header = request_header(rq, "cookie");
    const char *mark = account == NULL || header == NULL ? NULL : mark_of(rq->arena, account);
    const char *value;
    const char *id = NULL;

    while (id == NULL && (value = next_cookie(rq, &header)) != NULL)
        id = open_cookie(rq->arena, value, mark);
    return id;
}

void known_browser_set(struct request *rq, const char *tenant, const char *user)
{
    struct arena *a = rq->arena;
    const char *mark = mark_of(a, known_browser_account(a, tenant, user));
    uint8_t id[ID_BYTES];
    const char *text;

    random_bytes(id, sizeof(id));
    text = arena_printf(a, "%s.%lld.%s", base64url_encode(a, id, sizeof(id)),
                        (long long)(time_now_ms() / 1000), mark);
    request_add_header(
        rq, "Set-Cookie",
        arena_printf(
            a, COOKIE "%.*s=%s.%s; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=" SECONDS,
            NAME_MARK, mark, text, opaque_mac(a, "known browser", text)));
}
