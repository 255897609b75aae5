/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/scim.h"

#include <string.h>

enum { FILTER_MAX = 1000, WORD_MAX = 100, USUAL = 100 };

static enum err bad(struct request *rq)
{
    return scim_fail(rq, "invalidFilter",
                     "filter: only comparisons with eq, joined by and, of id, userName, externalId,"
                     " displayName, emails.value, active and members are known");
}

static const char **place_of(struct scim_search *s, const char *name)
{
    const struct {
        const char *name;
        const char **place;
    } known[] = {
        {"id", &s->id},
        {"userName", &s->user_name},
        {"externalId", &s->external_id},
        {"displayName", &s->display_name},
        {"emails", &s->email},
        {"emails.value", &s->email},
        {"emails[type eq \"work\"].value", &s->email},
        {"active", &s->active},
        {"members", &s->member},
        {"members.value", &s->member},
    };
    const char *colon = strrchr(name, ':');

    if (strncasecmp(name, "urn:", 4) == 0 && colon != NULL)
        name = colon + 1;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcasecmp(known[i].name, name) == 0)
            return known[i].place;
    return NULL;
}

/* "…" as JSON has it, true or false. */
static const char *read_value(struct request *rq, const char **at)
{
    const char *p = *at;
    size_t n = strcspn(p, " ");
    json_t *json;
    const char *out;

    if (*p != '"') {
        *at = p + n;
        return n == 4 && strncasecmp(p, "true", 4) == 0    ? "true"
               : n == 5 && strncasecmp(p, "false", 5) == 0 ? "false"
                                                           : NULL;
    }
    for (n = 1; p[n] != '\0' && p[n] != '"'; n++)
        n += p[n] == '\\' && p[n + 1] != '\0';
    if (p[n] != '"')
        return NULL;
    *at = p + n + 1;
    json = json_loadb(p, n + 1, JSON_DECODE_ANY, NULL);
    out = arena_text(rq->arena, json_string_value(json));
    json_decref(json);
    return out;
}

/* One comparison; the attribute may have a filter of its own with blanks in it. */
static bool read_one(struct request *rq, const char **at, struct scim_search *s)
{
    const char *p = *at + strspn(*at, " ");
    const char *bracket = strchr(p, ']');
    size_t n = strcspn(p, " [");
    const char **place;

    if (p[n] == '[')
        n = bracket == NULL ? 0 : (size_t)(bracket - p) + strcspn(bracket, " ");
    if (n == 0 || n > WORD_MAX)
        return false;
    place = place_of(s, arena_copy(rq->arena, p, n));
    p += n + strspn(p + n, " ");
    if (place == NULL || *place != NULL || strncasecmp(p, "eq ", 3) != 0)
        return false;
    p += 3 + strspn(p + 3, " ");
    *place = read_value(rq, &p);
    *at = p + strspn(p, " ");
    return *place != NULL;
}

/* RFC 7644 §3.4.2.4: what is less than the least means the least. */
static enum err read_bound(struct request *rq, const char *name, int64_t usual, int64_t *out)
{
    const char *text = request_query(rq, name);
    uint64_t n = 0;

    *out = usual;
    if (text == NULL)
        return OK;
    if (!uint_parse(text + (*text == '-'), INT32_MAX, &n))
        return scim_fail(rq, "invalidValue", "%s must be a number", name);
    *out = *text == '-' ? 0 : (int64_t)n;
    return OK;
}

static enum err read_filter(struct request *rq, const char *p, struct scim_search *s)
{
    if (strlen(p) > FILTER_MAX)
        return bad(rq);
    while (*p != '\0') {
        if (!read_one(rq, &p, s) || (*p != '\0' && strncasecmp(p, "and ", 4) != 0))
            return bad(rq);
        p += *p == '\0' ? 0 : 4;
    }
    if (s->active != NULL && strcmp(s->active, "true") != 0 && strcmp(s->active, "false") != 0)
        return bad(rq);
    return OK;
}

/* What is no id finds nothing. */
static void only_ids(const char **id)
{
    if (*id != NULL && !id_valid(*id))
        *id = "00000000-0000-0000-0000-000000000000";
}

enum err scim_search(struct request *rq, struct scim_search *s)
{
    const char *filter = request_query(rq, "filter");

    *s = (struct scim_search){.start = 1};
    TRY(read_bound(rq, "startIndex", 1, &s->start));
    TRY(read_bound(rq, "count", USUAL, &s->count));
    s->start = s->start < 1 ? 1 : s->start;
    s->count = s->count > SCIM_PAGE_MAX ? SCIM_PAGE_MAX : s->count;
    if (filter != NULL)
        TRY(read_filter(rq, filter, s));
    only_ids(&s->id);
    only_ids(&s->member);
    return OK;
}
