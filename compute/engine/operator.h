/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_OPERATOR_H
#define ENGINE_OPERATOR_H

#include "compute/engine/onnx.h"

/* One node about to run. in and out have at least STEP_PORTS places, NULL where there is nothing.
 */
struct step {
    const struct node *node;
    struct tensor *const *in;
    size_t in_count;
    struct tensor **out;
    size_t out_count;
    struct pool *pool;
    struct refusal *why;
};

enum { STEP_PORTS = 8 };

/* An operator of ai.onnx or ai.onnx.ml; semantics from the ONNX specification
 * (onnx.ai/onnx/operators), in the version the model imports. All of them stand in operators.def.
 */
struct onnx_op {
    const char *name;
    bool ml;
    size_t least; /* inputs that must be there */
    enum err (*run)(struct step *s);
    /* Looks at the attributes when the model is read; or NULL. */
    enum err (*prepare)(struct node *n, struct pool *pool, struct refusal *why);
    double (*unary)(double x);                /* of op_unary and op_unary_bool */
    double (*binary)(double x, double y);     /* of op_binary, op_compare and op_variadic */
    int64_t (*integer)(int64_t x, int64_t y); /* the same for integers; NULL when it takes none */
};

const struct onnx_op *operator_find(struct span name, bool ml);

/* Help for those who write one. Errors name the node and its operator. */
MUST_CHECK enum err step_refuse(struct step *s, const char *problem);
/* A fresh output. */
MUST_CHECK enum err step_make(struct step *s, size_t output, enum element type,
                              const struct shape *shape);
int64_t step_number(const struct step *s, const char *attribute, int64_t otherwise);
double step_real(const struct step *s, const char *attribute, double otherwise);
/* The integers of an input tensor, or else of an attribute; ERR_CONTENT when neither is there and
 * they are needed. In input form they are int64 or int32. */
struct integers {
    const int64_t *data;
    size_t count;
    bool given;
};
MUST_CHECK enum err step_integers(struct step *s, size_t input, const char *attribute,
                                  struct integers *out);
/* An axis counted from the end when negative, checked against a rank. */
MUST_CHECK enum err step_axis(struct step *s, int64_t axis, unsigned rank, unsigned *out);

enum err op_unary(struct step *s);
enum err op_unary_bool(struct step *s);
enum err op_binary(struct step *s);
enum err op_compare(struct step *s);
enum err op_variadic(struct step *s);

#define OPERATOR(domain, name, least, handler) enum err handler(struct step *s);
#define FOREST(name, handler)                  enum err handler(struct step *s);
#define UNARY(name, handler, function)
#define BINARY(name, handler, function, integer)
#include "compute/engine/operators.def"
#undef OPERATOR
#undef FOREST
#undef UNARY
#undef BINARY

#endif
