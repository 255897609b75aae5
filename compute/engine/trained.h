/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_TRAINED_H
#define ENGINE_TRAINED_H

#include "compute/engine/encoder.h"
#include "compute/engine/logistic.h"
#include "core/protobuf.h"

#include <jansson.h>

/* A model as its trainer leaves it, before it becomes a file. */
struct trained {
    const char *trainer; /* "logistic", "ridge" */
    const char *task;    /* "binary", "multiclass", "regression" */
    struct span target;
    enum kind target_kind;
    const struct encoder *encoder;
    const struct linear *linear;
    size_t classes;              /* 0 for regression */
    const int64_t *class_number; /* (classes), when the target is an integer */
    const struct span *class_text;
};

enum { TRAINED_MODEL_MAX = 64 << 20 };

/* [{"name","type","input","index" | "categories"}, …]: which of the model's inputs, and which of
 * its columns, each feature is. */
json_t *trained_features(const struct trained *t);
json_t *trained_classes(const struct trained *t);

/* The model as an ONNX file (IR 8, opset 15, ai.onnx.ml 3): numbers go in as one DOUBLE [N,F]
 * tensor "features", each text feature as a STRING [N,1] of its own; out come "label" [N] and
 * "probabilities" DOUBLE [N,classes], or "prediction" DOUBLE [N,1]. Imputation, standardisation and
 * encoding are part of the graph. The metadata property "chancery" tells features, target, classes
 * and trainer. The same model gives the same bytes. ERR_TOO_LARGE past TRAINED_MODEL_MAX. */
MUST_CHECK enum err trained_export(const struct trained *t, struct text *out, struct refusal *why);

#endif
