/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/reply.h"

#include <string.h>

enum { PAGE_MAX = 1000, PAGE_USUAL = 100, CURSOR_MAX = 600 };

void json_release(void *json)
{
    json_decref(json);
}

/* Whether one of the listed tags is tag. Weak tags never match a change (RFC 9110 §13.1.1). */
static bool listed(const char *list, const char *tag)
{
    size_t length = strlen(tag);

    while (*list != '\0') {
        list += strspn(list, " \t,");
        if (strncmp(list, tag, length) == 0 && strchr(" \t,", list[length]) != NULL)
            return true;
        list += strcspn(list, ",");
    }
    return false;
}

static const char *tag_of(struct request *rq, int64_t revision)
{
    return arena_printf(rq->arena, "\"%lld\"", (long long)revision);
}

enum err etag_check(struct request *rq, int64_t revision)
{
    const char *match = request_header(rq, "if-match");
    const char *none = request_header(rq, "if-none-match");
    const char *tag = tag_of(rq, revision);

    if (match != NULL && revision == 0)
        return fail(rq, ERR_PRECONDITION, "If-Match: there is no such thing yet");
    if (match != NULL && strcmp(match, "*") != 0 && !listed(match, tag))
        return fail(rq, ERR_PRECONDITION, "If-Match is %.80s but the present revision is %s", match,
                    tag);
    if (none != NULL && revision != 0 && (strcmp(none, "*") == 0 || listed(none, tag)))
        return fail(rq, ERR_PRECONDITION, "If-None-Match: it is there, with revision %s", tag);
    return OK;
}

enum err etag_reply(struct request *rq, const struct field *fields, const void *in,
                    int64_t revision)
{
    request_set_header(rq, "ETag", tag_of(rq, revision));
    return request_reply(rq, fields, in);
}

static enum err bad_cursor(struct request *rq)
{
    rq->target = "after";
    return fail(rq, ERR_INVALID, "after is not a cursor that this list has given");
}

enum err page_read(struct request *rq, struct page *page)
{
    const char *cursor = request_query(rq, "after");
    char key[CURSOR_MAX];
    long length;

    *page = (struct page){.after = NULL};
    TRY(request_query_int(rq, "limit", 1, PAGE_MAX, PAGE_USUAL, &page->limit));
    if (cursor == NULL)
        return OK;
    length = base64url_decode(cursor, strlen(cursor), key, sizeof(key));
    if (length < 1 || !utf8_valid(key, (size_t)length) || memchr(key, '\0', (size_t)length))
        return bad_cursor(rq);
    page->after = arena_copy(rq->arena, key, (size_t)length);
    return OK;
}

enum err page_number(struct request *rq, const struct page *page, int64_t fallback, int64_t *out)
{
    uint64_t number = 0;

    *out = fallback;
    if (page->after == NULL)
        return OK;
    if (!uint_parse(page->after, INT64_MAX, &number))
        return bad_cursor(rq);
    *out = (int64_t)number;
    return OK;
}

enum err page_id(struct request *rq, const struct page *page, const char **out)
{
    *out = "ffffffff-ffff-ffff-ffff-ffffffffffff";
    if (page->after == NULL)
        return OK;
    *out = page->after;
    return id_valid(page->after) ? OK : bad_cursor(rq);
}

/* Cut the rows to the limit; the last one kept if there are more, else NULL. */
static const void *last_kept(const struct page *page, size_t size, struct rows *rows)
{
    if ((int64_t)rows->count <= page->limit)
        return NULL;
    rows->count = (size_t)page->limit;
    return (const char *)rows->items + (rows->count - 1) * size;
}

static const char *cursor_of(struct request *rq, const char *key)
{
    return base64url_encode(rq->arena, key, strlen(key));
}

enum err page_reply(struct request *rq, const struct page *page, const struct field *fields,
                    size_t size, struct rows *rows, size_t key_text)
{
    const char *last = last_kept(page, size, rows);
    const char *next = NULL;

    if (last != NULL)
        next = cursor_of(rq, *(const char *const *)(const void *)(last + key_text));
    return request_reply_list(rq, fields, size, rows, next);
}

enum err page_reply_numbered(struct request *rq, const struct page *page,
                             const struct field *fields, size_t size, struct rows *rows,
                             size_t key_number)
{
    const char *last = last_kept(page, size, rows);
    const char *next = NULL;

    if (last != NULL) {
        int64_t number = *(const int64_t *)(const void *)(last + key_number);

        next = cursor_of(rq, arena_printf(rq->arena, "%lld", (long long)number));
    }
    return request_reply_list(rq, fields, size, rows, next);
}
