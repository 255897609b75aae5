/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_OP_CLASSES_H
#define ENGINE_OP_CLASSES_H

#include "compute/engine/operator.h"

/* What the classifiers of ai.onnx.ml have in common: scores become a label and, transformed, the
 * second output. */
struct votes {
    size_t rows;
    size_t width;     /* scores a row: one a class, or a single one for two classes */
    double *scores;   /* (rows, width) */
    double threshold; /* of a single score: above it the answer is the second class */
    bool mirrored;    /* a single score's counterpart is its negative, not 1 less it */
};

MUST_CHECK enum err classes_decide(struct step *s, const struct votes *v);

#endif
