/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMPUTE_JOB_END_H
#define COMPUTE_JOB_END_H

#include "compute/job.h"
#include "compute/job_run.h"
#include "compute/job_work.h"

/* What a worker knows of the job it runs. */
struct run {
    struct db *db;
    const struct service *service;
    const struct claim *claim;
    struct arena *arena; /* for as long as the job runs */
    struct job_work work;
    int input; /* open descriptors, or -1 */
    int output;
    int model;
    const char *output_path;
    json_t *done;    /* what the engine said at its end; owned */
    json_t *profile; /* of a predicted table; owned */
    const char *why; /* it was refused */
    double progress;
    const char *message;
    int64_t said_ms; /* last progress event, last renewal of the lease (time_steady_ms) */
    int64_t beat_ms;
    bool lost; /* the lease is no longer ours: touch nothing */
    struct arena *tick_arena;
};

/* Register what the engine made as a version, with its lineage and audit entry, and end the job, in
 * one transaction: all of it is there or nothing is. */
MUST_CHECK enum err job_succeed(struct run *r);

/* End it as failed or cancelled, or put it back for another try. */
void job_give_up(struct run *r, enum err e);

/* SHA-256 of an open file from its beginning; leaves the position there. */
MUST_CHECK enum err digest_of_file(int fd, struct digest *out);

#endif
