/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/graph/answer.h"
#include "lineage/graph/provenance.h"

#include <string.h>

bool question_may(void *request, const char *project, const char *node)
{
    return lineage_visibility != NULL && lineage_visibility(request, project, node);
}

enum err question_time(struct request *rq, const char *parameter, const char **out)
{
    int64_t ms;

    *out = request_query(rq, parameter);
    if (*out == NULL || time_parse(*out, &ms))
        return OK;
    rq->target = parameter;
    return fail(rq, ERR_INVALID, "%s must be an RFC 3339 time", parameter);
}

enum err question_read(struct request *rq, const char *parameter, struct walk_question *q)
{
    *q = (struct walk_question){
        .node = request_query(rq, parameter),
        .depth = DEPTH,
        .nodes = NODES_MAX,
        .edges = EDGES_MAX,
        .ms = WALK_MS,
        .may = question_may,
        .context = rq,
    };
    TRY(question_time(rq, "as_of", &q->as_of));
    TRY(question_time(rq, "known_at", &q->known_at));
    if (q->node != NULL)
        return OK;
    rq->target = parameter;
    return fail(rq, ERR_INVALID, "%s is missing: projects/P/models/N/versions/V or the like",
                parameter);
}

enum err question_ways(struct request *rq, unsigned *ways)
{
    static const char *const names[] = {"both", "upstream", "downstream"};
    static const unsigned values[] = {WALK_UP | WALK_DOWN, WALK_UP, WALK_DOWN};
    const char *way = request_query(rq, "direction");

    for (size_t i = 0; i < 3; i++) {
        if (way != NULL && strcmp(way, names[i]) != 0)
            continue;
        *ways = values[i];
        return OK;
    }
    rq->target = "direction";
    return fail(rq, ERR_INVALID, "direction must be one of: upstream, downstream, both");
}
