/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAPH_OL_EVENT_H
#define GRAPH_OL_EVENT_H

#include "core/arena.h"
#include "core/crypto.h"

#include <jansson.h>

/* An OpenLineage event (spec/OpenLineage.json 2-0-2). There is no discriminator: a run makes it a
 * RunEvent, a job without a run a JobEvent, a dataset without a job a DatasetEvent. Members and
 * facets that are not known are kept as they are. */

enum { OL_NAME_MAX = 900, OL_DATASETS_MAX = 10000, OL_COLUMNS_MAX = 50000 };

/* A job, run or dataset as an event names it. */
struct ol_thing {
    const char *namespace;
    const char *name;
    const char *node;     /* its name in the lineage: ol-dataset:NAMESPACE:NAME */
    const json_t *facets; /* NULL for none */
};

struct ol_event {
    const json_t *json;
    struct digest digest; /* of its canonical form, by which it is known again */
    const char *kind;     /* run, job or dataset */
    const char *type;     /* START, RUNNING, COMPLETE, ABORT, FAIL, OTHER; NULL for none */
    const char *at;       /* RFC 3339 */
    struct ol_thing job;  /* of a run or job event; else the dataset it is about */
    const char *run_id;   /* lower case; NULL for none */
    const char *run_node;
    const json_t *run_facets;
};

/* NULL when it is one, else why not, in the arena. Texts are borrowed from json or in the arena. */
const char *ol_event_read(struct arena *a, const json_t *json, struct ol_event *out);

/* {namespace, name, facets}; kind is "job" or "dataset". NULL, or why not. */
const char *ol_thing_read(struct arena *a, const json_t *json, const char *kind,
                          struct ol_thing *out);
const char *ol_run_node(struct arena *a, const char *run_id);
const char *ol_column_node(struct arena *a, const struct ol_thing *dataset, const char *field);

#endif
