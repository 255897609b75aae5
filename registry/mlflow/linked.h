/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MLFLOW_LINKED_H
#define MLFLOW_LINKED_H

#include "core/request.h"

#include <jansson.h>

/* What tags of MLflow's clients say a run, model or trace was made from: the commit
 * (mlflow.source.git.commit and .repoURL; of models mlflow.git.commit and .repo_url), the notebook
 * (mlflow.source.name where mlflow.source.type is NOTEBOOK), prompts (mlflow.linkedPrompts: a text
 * of [{"name", "version"}]). They become nodes and edges of the lineage. A tag is never refused for
 * what it says: what is no commit, and prompts that are not there or that the caller may not read,
 * make no edge. */
#define LINKED_PROMPTS "mlflow.linkedPrompts"
struct linked {
    const char *commit;
    const char *repository;
    const char *source;
    const char *type;
    const char *prompts;
};

/* Note a tag, if it is one of these. */
void linked_note(struct linked *l, const char *key, const char *value);
/* All of a JSON object of texts; NULL for none. */
void linked_note_all(struct linked *l, const json_t *tags);
/* Whether anything would be made of it. A source alone, as every run has, is nothing. */
bool linked_any(const struct linked *l);
/* The tags that a run has by now, when one of these was noted: they may come one at a time. */
MUST_CHECK enum err linked_of_run(struct db *db, const char *run_id, struct linked *l);

/* A node (kind, its name), which is made if there is none, and edges to it from all that is linked;
 * nothing when that is nothing. how is the kind of the edges of prompts. TX_WRITE. */
struct linked_to {
    const char *kind;
    const char *node;
    const char *how;
};
MUST_CHECK enum err linked_trace(struct request *rq, const struct linked *l,
                                 const struct linked_to *to);
/* The same for a run by its UUID, a logged model by its UUID and a trace by its id. */
MUST_CHECK enum err linked_run(struct request *rq, const char *run_id, const struct linked *l);
MUST_CHECK enum err linked_model(struct request *rq, const char *id, const json_t *tags);
MUST_CHECK enum err linked_call(struct request *rq, const char *trace_id, const char *prompts);

/* "projects/P/logged-models/m-ID", made if need be, with an edge from the run that made it (a UUID,
 * or NULL). TX_WRITE. */
MUST_CHECK enum err logged_model_node(struct request *rq, const char *id, const char *run_id,
                                      const char **node);

#endif
