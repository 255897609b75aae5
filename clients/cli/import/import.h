/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMPORT_IMPORT_H
#define IMPORT_IMPORT_H

#include "clients/cli/cli.h"
#include "clients/cli/import/report.h"
#include "clients/cli/import/source.h"

/* One import of an MLflow server's content. Everything the source says is a stranger's word: what
 * cannot be taken becomes a named difference of the report, and the rest goes on. */
struct import {
    struct cli work;       /* the command, with the arena of what is being worked on */
    struct arena *lasting; /* the command's own */
    struct source *source;
    struct report *report;
    bool dry;            /* read the source only */
    bool new_ids;        /* of runs and logged models, made from the old ones and the project */
    bool merge;          /* into experiments and models that are here and were not imported */
    bool shorten;        /* values over our limits are cut without being a difference */
    bool reread;         /* files that are here already are read at the source again */
    struct link *links;  /* models that runs read and made */
    struct seen *whole;  /* source ids of runs and models whose files are all here */
    struct seen *broken; /* and of those of which some are not */
};

/* What is taken until unit_end is freed then: pages, runs, files. */
struct arena *unit_begin(struct import *im);
void unit_end(struct import *im, struct arena *kept);

/* Tags by which what was imported is known again. */
#define TAG_RUN        "chancery.imported.run_id"
#define TAG_MODEL      "chancery.imported.model_id"
#define TAG_EXPERIMENT "chancery.imported.experiment_id"
#define TAG_NAME       "chancery.imported.name"
#define TAG_FROM       "chancery.imported.from"
#define TAG_CREATED    "chancery.imported.created"
#define TAG_SOURCE     "chancery.imported.source"
#define TAG_STAGE      "chancery.imported.stage"

struct link;
struct seen;

enum { PARAM_LONGEST = 6000, TAG_LONGEST = 8000, EXPERIMENT_TAG_LONGEST = 5000 };

/* An experiment on both sides. */
struct experiment {
    const char *source_id;
    const char *name;
    const char *id; /* ours; NULL in a dry run */
    bool deleted;   /* ours, now */
    bool gone;      /* the source's */
};

/* Whether it has taken part: false for one that was refused or not asked for. */
bool experiment_import(struct import *im, const json_t *source, struct experiment *out);
/* What is deleted takes nothing, so it is brought back for as long as something is missing. */
bool experiment_open(struct import *im, struct experiment *e);
/* Delete what the source has deleted. */
void experiment_close(struct import *im, struct experiment *e);

/* One run with everything but the models it refers to, which may not be here yet. */
void run_import(struct import *im, struct experiment *e, const char *source_id);
/* Write down which models a run read and made, and when all are here tell our service. */
void link_note(struct import *im, struct experiment *e, const char *source_id, const json_t *run);
void links_import(struct import *im);

/* A run as it is here. */
struct mine {
    const char *source_id;
    const char *id;
    struct experiment *experiment;
    json_t *run; /* as our service shows it */
    bool deleted;
    bool wrote; /* something was missing */
};
/* Fill run and deleted; false, without a difference, when there is no such run here. */
bool mine_load(struct import *im, struct mine *m);
/* Our run fit to be written to; deleted again, if it was, by mine_close. */
bool mine_open(struct import *im, struct mine *m);
void mine_close(struct import *im, struct mine *m, bool deleted);

/* The whole history of one metric. */
void metric_import(struct import *im, struct mine *m, const char *key);
/* {"metrics":…} or other lists to a run, in batches that the service takes; what it refuses is
 * narrowed down and named. */
void batch_send(struct import *im, struct mine *m, const char *list, const json_t *items);

/* Files of a run or logged model. at: "runs/ID" for people; ours: "EXPERIMENT/RUN/artifacts". */
struct files {
    const char *what;
    bool model; /* of a logged model, else of a run */
    const char *source_id;
    const char *source_uri; /* artifact_uri, or NULL */
    const char *id;         /* ours */
    const char *place;      /* ours */
};
/* Whether all are here. */
bool files_import(struct import *im, const struct files *f);

void models_import(struct import *im, struct experiment *e);
void registry_import(struct import *im, bool prompts);

#endif
