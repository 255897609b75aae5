/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/audit_view.h"
#include "lineage/log.h"
#include "lineage/privacy/search.h"
#include "lineage/routes.h"
#include "lineage/sequencer.h"
#include "lineage/sequencer_step.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* All that a filter finds, as one file: written to an unnamed file first, so that it is of one
 * moment, of known length, and never in memory. */

enum { EXPORT_ROWS = 500, EXPORT_MOST = 5000000 };

struct export
{
    struct request *rq;
    FILE *to;
    bool csv;
    int64_t count;
};

static bool wants_csv(struct request *rq, bool *known)
{
    const char *format = request_query(rq, "format"), *accept = request_header(rq, "accept");

    *known = format == NULL || strcmp(format, "csv") == 0 || strcmp(format, "jsonl") == 0;
    if (format != NULL)
        return strcmp(format, "csv") == 0;
    return accept != NULL && strstr(accept, "text/csv") != NULL;
}

/* RFC 4180. What a spreadsheet would take for a formula is led by an apostrophe. */
static void csv_text(FILE *to, const char *text, bool last)
{
    (void)fputc('"', to);
    if (text != NULL && *text != '\0' && strchr("=+-@\t\r", *text) != NULL)
        (void)fputc('\'', to);
    for (; text != NULL && *text != '\0'; text++) {
        if (*text == '"')
            (void)fputc('"', to);
        (void)fputc(*text, to);
    }
    (void)fputs(last ? "\"\r\n" : "\",", to);
}

static void csv_json(FILE *to, const json_t *json, bool last)
{
    char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);

    csv_text(to, text, last);
    free(text);
}

static void add_csv(FILE *to, const struct audit_view *v)
{
    const char *const texts[] = {v->id,      v->at,      v->actor,     v->actor_name,
                                 v->action,  v->method,  v->project,   v->object,
                                 v->outcome, v->request, v->leaf_hash, v->fault};

    csv_json(to, v->index, false);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        csv_text(to, texts[i], false);
    (void)fprintf(to, "%lld,", (long long)v->status);
    csv_json(to, v->changes, false);
    csv_json(to, v->detail, true);
}

static const char csv_head[] =
    "index,id,at,actor,actor_name,action,method,project,object,outcome,request,leaf_hash,fault,"
    "status,changes,detail\r\n";

static void add_line(FILE *to, const struct audit_view *v)
{
    json_t *json = field_to_json(audit_view_fields, v);

    (void)json_dumpf(json, to, JSON_COMPACT);
    (void)fputc('\n', to);
    json_decref(json);
}

/* One page; *last is the seq to go on after. */
static enum err add_page(struct export *x, struct audit_filter *f, bool *more)
{
    struct request *rq = x->rq;
    const struct audit_row *row;
    struct audit_view v;
    struct rows rows;

    TRY(audit_list(rq->db, f, &rows));
    for (size_t i = 0; i < rows.count; i++) {
        row = (const struct audit_row *)rows.items + i;
        audit_view(rq->db->arena, row, &v);
        if (x->csv)
            add_csv(x->to, &v);
        else
            add_line(x->to, &v);
        f->after = arena_printf(rq->arena, "%lld", (long long)row->seq);
    }
    x->count += (int64_t)rows.count;
    *more = rows.count == EXPORT_ROWS;
    return ferror(x->to) ? ERR_STORAGE : OK;
}

static enum err add_all(struct export *x, struct audit_filter *f)
{
    struct request *rq = x->rq;
    bool more = !f->nobody;
    enum err e = OK;

    f->limit = EXPORT_ROWS;
    while (more && e == OK) {
        struct arena *page = arena_new();

        rq->db->arena = page;
        e = add_page(x, f, &more);
        log_arena_back(rq->db, rq->arena);
        arena_free(page);
        if (x->count > EXPORT_MOST)
            return fail(rq, ERR_TOO_LARGE, "more than %d entries; narrow the filter by from and to",
                        EXPORT_MOST);
    }
    return e;
}

static void release_file(void *file)
{
    (void)fclose(file);
}

static enum err open_unnamed(struct request *rq, FILE **out)
{
    int fd = open(sequencer_place()->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    *out = fd < 0 ? NULL : fdopen(fd, "w+");
    if (*out == NULL) {
        if (fd >= 0)
            (void)close(fd);
        return fail(rq, ERR_STORAGE, "no temporary file: %s", strerrordesc_np(errno));
    }
    arena_own(rq->arena, *out, release_file);
    return OK;
}

/* GET /v1/audit/export?format=jsonl|csv and the filter of /v1/audit */
enum err get_audit_export(struct request *rq)
{
    struct export x = {.rq = rq};
    struct audit_filter f;
    bool known;
    int fd;

    x.csv = wants_csv(rq, &known);
    rq->target = known ? NULL : "format";
    if (!known)
        return fail(rq, ERR_INVALID, "format must be jsonl or csv");
    TRY(audit_filter_read(rq, &f));
    TRY(audit_search(rq, &f));
    TRY(open_unnamed(rq, &x.to));
    if (x.csv)
        (void)fputs(csv_head, x.to);
    TRY(add_all(&x, &f));
    fd = fflush(x.to) == 0 ? fcntl(fileno(x.to), F_DUPFD_CLOEXEC, 0) : -1;
    if (fd < 0)
        return fail(rq, ERR_STORAGE, "the export cannot be written");
    request_audit(rq, "count", json_integer((json_int_t)x.count));
    request_set_header(rq, "Content-Disposition",
                       x.csv ? "attachment; filename=\"audit.csv\""
                             : "attachment; filename=\"audit.jsonl\"");
    return request_reply_file(rq, x.csv ? "text/csv; charset=utf-8" : "application/jsonl", fd,
                              lseek(fd, 0, SEEK_END));
}
