/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/csv.h"
#include "compute/engine/job.h"
#include "compute/engine/summary.h"

enum { REMEMBERED_MAX = 256 << 20, PROGRESS_ROWS = 4096 };

static enum err summarise(struct job *job, struct csv *c, struct summary *columns, size_t *rows)
{
    bool more = true;

    for (*rows = 0;; (*rows)++) {
        TRY(csv_next(c, &more, &job->why));
        if (!more)
            return OK;
        for (size_t i = 0; i < c->columns; i++)
            summary_add(&columns[i], c->fields[i]);
        if (*rows % PROGRESS_ROWS == 0 && job->input_size > 0)
            channel_progress(&job->channel, (double)csv_offset(c) / (double)job->input_size,
                             "reading the table");
    }
}

static enum err profile(struct job *job, struct csv *c, struct pool *remembered, json_t **done)
{
    struct summary *columns;
    json_t *list;
    size_t rows;

    TRY(pool_get(&job->pool, c->columns, sizeof(*columns), &columns, &job->why));
    for (size_t i = 0; i < c->columns; i++)
        TRY(summary_new(&columns[i], c->names[i], remembered, &job->why));
    TRY(summarise(job, c, columns, &rows));
    list = json_array();
    for (size_t i = 0; i < c->columns; i++)
        (void)json_array_append_new(list, summary_json(&columns[i]));
    *done = json_pack("{s:I, s:I, s:o}", "rows", (json_int_t)rows, "bytes",
                      (json_int_t)csv_offset(c), "columns", list);
    return OK;
}

enum err mode_profile(struct job *job, json_t *spec, json_t **done)
{
    static const char *const members[] = {NULL};
    struct pool remembered = pool_new(REMEMBERED_MAX);
    struct csv c;
    enum err e;

    TRY(json_only(spec, members, &job->why));
    TRY(csv_open(&c, job->input, &job->pool, &job->why));
    e = profile(job, &c, &remembered, done);
    csv_close(&c);
    pool_free(&remembered);
    return e;
}
