/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/catalogue.h"

#include "auth/auth.h"
#include "registry/handlers.h"
#include "registry/reply.h"
#include "registry/tag.h"

#include <string.h>

enum { WORDS_LONGEST = 500 };

/* A kind that is none finds nothing, and says so. */
static enum err check_kind(struct request *rq, const char *kind)
{
    static const char *const kinds[] = {
#define ASSET_KIND(kind) kind,
#include "auth/kinds.def"
#undef ASSET_KIND
    };

    for (size_t i = 0; kind != NULL && i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(kind, kinds[i]) == 0)
            return OK;
    rq->target = "kind";
    return kind == NULL ? OK : fail(rq, ERR_INVALID, "kind: there is no kind \"%.40s\"", kind);
}

enum err catalogue_read(struct request *rq, const struct catalogue_question *asked,
                        struct catalogue_search *s)
{
    json_t *tags;

    *s = (struct catalogue_search){.q = asked->q, .kind = asked->kind, .project = asked->project};
    TRY(tag_parse(rq, asked->tag, &tags));
    s->tags = tags;
    TRY(check_kind(rq, s->kind));
    if (s->q != NULL && (strlen(s->q) > WORDS_LONGEST || !utf8_valid(s->q, strlen(s->q)))) {
        rq->target = "q";
        return fail(rq, ERR_INVALID, "q has at most %d bytes", WORDS_LONGEST);
    }
    auth_readable_things(rq, ASSET_READ, NULL, &s->may);
    return OK;
}

static struct catalogue_question question_of(const struct request *rq)
{
    return (struct catalogue_question){request_query(rq, "q"), request_query(rq, "kind"),
                                       request_query(rq, "tag"), request_query(rq, "project")};
}

enum err catalogue_reply(struct request *rq, const struct catalogue_question *asked)
{
    struct catalogue_search s;
    struct page page;
    struct rows rows;

    TRY(page_read(rq, &page));
    TRY(catalogue_read(rq, asked, &s));
    s.after = page.after;
    s.limit = page.limit + 1;
    TRY(catalogue_list(rq, &s, &rows));
    return page_reply(rq, &page, catalogue_fields, sizeof(struct catalogue_entry), &rows,
                      offsetof(struct catalogue_entry, path));
}

/* GET /v1/catalogue */
enum err get_catalogue(struct request *rq)
{
    const struct catalogue_question asked = question_of(rq);

    return catalogue_reply(rq, &asked);
}

/* GET /v1/catalogue/facets */
enum err get_catalogue_facets(struct request *rq)
{
    const struct catalogue_question asked = question_of(rq);
    struct catalogue_search s;
    const char *json;

    TRY(catalogue_read(rq, &asked, &s));
    TRY(catalogue_facets(rq, &s, &json));
    return request_reply_bytes(rq, "application/json", json, strlen(json));
}
