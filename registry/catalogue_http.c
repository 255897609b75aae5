/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/catalogue.h"

#include "auth/auth.h"
#include "registry/handlers.h"
#include "registry/reply.h"
#include "registry/tag.h"

#include <string.h>

enum { WORDS_LONGEST = 500 };

/* A kind that is none finds nothing, and says so. */
static enum err read_kind(struct request *rq, const char **kind)
{
    static const char *const kinds[] = {
#define ASSET_KIND(kind) kind,
#include "auth/kinds.def"
#undef ASSET_KIND
    };

    *kind = request_query(rq, "kind");
    for (size_t i = 0; *kind != NULL && i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(*kind, kinds[i]) == 0)
            return OK;
    rq->target = "kind";
    return *kind == NULL ? OK : fail(rq, ERR_INVALID, "kind: there is no kind \"%.40s\"", *kind);
}

static enum err read_search(struct request *rq, struct catalogue_search *s)
{
    json_t *tags;

    TRY(tag_query(rq, &tags));
    s->tags = tags;
    TRY(read_kind(rq, &s->kind));
    s->q = request_query(rq, "q");
    s->project = request_query(rq, "project");
    if (s->q != NULL && (strlen(s->q) > WORDS_LONGEST || !utf8_valid(s->q, strlen(s->q)))) {
        rq->target = "q";
        return fail(rq, ERR_INVALID, "q has at most %d bytes", WORDS_LONGEST);
    }
    auth_readable_things(rq, ASSET_READ, NULL, &s->may);
    return OK;
}

/* GET /v1/catalogue */
enum err get_catalogue(struct request *rq)
{
    struct catalogue_search s = {.q = NULL};
    struct page page;
    struct rows rows;

    TRY(page_read(rq, &page));
    TRY(read_search(rq, &s));
    s.after = page.after;
    s.limit = page.limit + 1;
    TRY(catalogue_list(rq, &s, &rows));
    return page_reply(rq, &page, catalogue_fields, sizeof(struct catalogue_entry), &rows,
                      offsetof(struct catalogue_entry, path));
}

/* GET /v1/catalogue/facets */
enum err get_catalogue_facets(struct request *rq)
{
    struct catalogue_search s = {.q = NULL};
    const char *json;

    TRY(read_search(rq, &s));
    TRY(catalogue_facets(rq, &s, &json));
    return request_reply_bytes(rq, "application/json", json, strlen(json));
}
