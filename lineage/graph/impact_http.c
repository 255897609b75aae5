/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/graph/impact.h"

#include "lineage/graph/answer.h"
#include "lineage/jsontext.h"
#include "lineage/routes.h"

#include <stdlib.h>

static void add_impact(struct request *rq, struct text *t, const struct impact_row *r)
{
    char *approvals = json_dumps(r->approvals, JSON_COMPACT);

    arena_own(rq->arena, approvals, free);
    json_add_member(t, true, "endpoint",
                    arena_printf(rq->arena, "projects/%s/endpoints/%s", r->project, r->endpoint));
    json_add_member(t, false, "deployment", r->deployment);
    json_add_member(
        t, false, "version",
        arena_printf(rq->arena, "%ss/%s/versions/%lld", r->kind, r->asset, (long long)r->number));
    text_printf(t, ",\"serving\":%s", r->serving ? "true" : "false");
    json_add_member(t, false, "from", r->since);
    json_add_member(t, false, "until", r->until);
    text_puts(t, ",\"approvals\":");
    text_puts(t, approvals);
    text_puts(t, "}");
}

/* GET /v1/lineage/impact?node=&as_of=&known_at= */
enum err get_lineage_impact(struct request *rq)
{
    struct text *t = answer_text(rq);
    struct walk_question q;
    struct impact found;

    TRY(question_read(rq, "node", &q));
    q.ways = WALK_DOWN;
    q.depth = DEPTH_MAX;
    q.skip_predictions = true; /* any number of them, and no deployment comes after one */
    TRY(impact_of(rq->db, &q, &found));
    text_puts(t, "{");
    json_add_member(t, true, "node", found.node);
    text_puts(t, ",\"endpoints\":[");
    for (size_t i = 0; i < found.rows.count; i++) {
        text_puts(t, i == 0 ? "{" : ",{");
        add_impact(rq, t, (const struct impact_row *)found.rows.items + i);
    }
    text_puts(t, "]");
    graph_add_end(t, found.truncated);
    return answer_reply(rq, t);
}

static void add_coverage(struct text *t, const struct coverage_row *r)
{
    json_add_member(t, true, "endpoint", r->endpoint);
    json_add_member(t, false, "model", r->model);
    text_printf(t, ",\"complete\":%s,\"unknown\":[", r->unknown.count == 0 ? "true" : "false");
    for (size_t i = 0; i < r->unknown.count; i++) {
        text_puts(t, i == 0 ? "" : ",");
        json_add_text(t, r->unknown.items[i]);
    }
    text_puts(t, "]}");
}

/* GET /v1/lineage/coverage?as_of=&known_at= */
enum err get_lineage_coverage(struct request *rq)
{
    struct walk_question q = {.may = question_may, .context = rq};
    struct text *t = answer_text(rq);
    size_t complete = 0;
    struct rows rows;

    TRY(question_time(rq, "as_of", &q.as_of));
    TRY(question_time(rq, "known_at", &q.known_at));
    TRY(coverage_of(rq->db, &q, &rows));
    text_puts(t, "{\"models\":[");
    for (size_t i = 0; i < rows.count; i++) {
        const struct coverage_row *r = (const struct coverage_row *)rows.items + i;

        text_puts(t, i == 0 ? "{" : ",{");
        add_coverage(t, r);
        complete += r->unknown.count == 0;
    }
    text_printf(t, "],\"production\":%zu,\"complete\":%zu,\"share\":%.4f}", rows.count, complete,
                rows.count == 0 ? 1.0 : (double)complete / (double)rows.count);
    return answer_reply(rq, t);
}
