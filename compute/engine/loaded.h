/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_LOADED_H
#define ENGINE_LOADED_H

#include "compute/engine/job.h"
#include "compute/engine/onnx.h"

enum { LOADED_MAX = 1 << 30 };

/* A model file that is ready to run. */
struct loaded {
    struct model model;
    json_t *features; /* what its metadata says of them (see trained.h); NULL in a foreign model */
    json_t *classes;  /* labels in the order of the probabilities' columns, or NULL */
};

/* Reads the model behind job->model, which stays mapped. */
MUST_CHECK enum err loaded_open(struct loaded *l, struct job *job);
/* The same from memory. */
MUST_CHECK enum err loaded_read(struct loaded *l, struct span file, struct pool *pool,
                                struct refusal *why);
void loaded_close(struct loaded *l);

/* What serve says of an input: {"name","datatype","shape","model_datatype"}. Numbers of any kind
 * are sent as FP64, strings as BYTES; model_datatype is what the model makes of them. One row is
 * one line: an input without columns counts as one column. -1 is a free dimension. */
json_t *loaded_input_json(const struct value_info *v);
/* Of an output: {"name","datatype","shape"}. */
json_t *loaded_output_json(const struct value_info *v);
/* How an output of that type is sent: "FP64" any float, "INT64" integers and bools, "BYTES"
 * strings. */
const char *loaded_datatype(enum element type);

#endif
