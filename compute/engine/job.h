/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_JOB_H
#define ENGINE_JOB_H

#include "compute/engine/channel.h"
#include "compute/engine/pool.h"

/* What every mode works with. Sizes are taken before the sandbox closes, so that nothing has to ask
 * the file system afterwards. Descriptors are -1 when the supervisor gave none. */
struct job {
    struct channel channel;
    int input;
    int output;
    int model;
    size_t input_size;
    size_t model_size;
    struct pool pool;
    struct refusal why;
};

/* Each reads the job's spec, does it, and gives what the done event says in *done. On an error the
 * reason is in job->why. */
MUST_CHECK enum err mode_profile(struct job *job, json_t *spec, json_t **done);
MUST_CHECK enum err mode_train(struct job *job, json_t *spec, json_t **done);
MUST_CHECK enum err mode_predict(struct job *job, json_t *spec, json_t **done);
/* Answers frames until the supervisor closes. An error is one before the first of them. */
MUST_CHECK enum err mode_serve(struct job *job);

#endif
