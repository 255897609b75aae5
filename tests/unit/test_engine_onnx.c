/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/onnx.h"
#include "compute/engine/onnx_names.h"
#include "compute/engine/ridge.h"
#include "compute/engine/target.h"
#include "compute/engine/trained.h"
#include "tests/unit/test_engine.h"

#include <math.h>
#include <time.h>

static struct pool pool;
static struct refusal why;

/* A small table with gaps, text, a boolean and quotes in its categories. */
static const char mixed[] = "age,city,member,income,risk\n"
                            "31,Bonn,true,1000.5,low\n"
                            "45,\"Aachen, West\",false,2000,high\n"
                            "NA,Bonn,true,1500,low\n"
                            "28,,false,,mid\n"
                            "51,Cologne,true,900,high\n"
                            "39,Cologne,NA,1750,mid\n"
                            "62,\"Aachen, West\",false,800,high\n"
                            "22,Bonn,true,1200,low\n"
                            "35,,true,1300,mid\n";

struct fitted {
    struct table table;
    struct target target;
    struct encoder encoder;
    struct matrix x;
    struct linear model;
    uint32_t rows[16];
    struct text file;
    struct model read;
};

/* Fits the mixed table (to risk, or to income by ridge), and writes and reads the model. */
static bool fit(struct fitted *f, bool classify)
{
    size_t column = classify ? 4 : 3;
    int fd = memory_file(mixed, sizeof(mixed) - 1);
    struct trained t = {.trainer = "x", .task = "y", .encoder = &f->encoder, .linear = &f->model};
    struct lbfgs_result result;
    struct rows all;
    bool by_svd, fine;

    for (uint32_t i = 0; i < 16; i++)
        f->rows[i] = i;
    fine = table_load(&f->table, fd, NULL, &pool, &why) == OK;
    (void)close(fd);
    all = (struct rows){&f->table, f->rows, f->table.rows};
    if (!fine || encoder_learn(&f->encoder, &all, column, &pool, &why) != OK ||
        encoder_apply(&f->encoder, &all, &f->x, &pool, &why) != OK)
        return false;
    if (classify) {
        struct logistic l = {.x = f->x, .l2 = 1, .limits = {1e-9, 500}};

        fine = target_classes(&f->target, &f->table.column[4], f->table.rows, &pool, &why) == OK;
        l.y = f->target.code;
        l.classes = f->target.classes;
        fine = fine && logistic_fit(&l, &f->model, &result, &pool, &why) == OK;
        t.classes = f->target.classes;
        t.class_text = f->target.text;
    } else {
        double *y = pool_take(&pool, f->table.rows, sizeof(*y));
        struct ridge r = {.x = f->x, .y = y, .l2 = 1};

        for (size_t i = 0; i < f->table.rows; i++)
            y[i] = isnan(f->table.column[3].number[i]) ? 0 : f->table.column[3].number[i];
        fine = ridge_fit(&r, &f->model, &by_svd, &pool, &why) == OK;
    }
    t.target = f->table.column[column].name;
    return fine && trained_export(&t, &f->file, &why) == OK &&
           onnx_read(&f->read, (struct span){f->file.data, f->file.length}, &pool, &why) == OK;
}

/* The raw columns as the model's inputs. */
static struct tensor *input_of(const struct fitted *f, size_t i)
{
    const struct value_info *v = &f->read.values[f->read.inputs[i]];
    struct shape shape = {2, {(int64_t)f->table.rows, v->shape.dims[1]}};
    struct tensor *t;

    if (tensor_new(v->type, &shape, &t, &pool, &why) != OK)
        abort();
    for (size_t k = 0; k < f->encoder.count; k++) {
        const struct feature *e = &f->encoder.features[k];
        const struct column *c = &f->table.column[e->column];

        for (size_t r = 0; r < f->table.rows; r++)
            if (e->kind != KIND_TEXT && v->type == ELEMENT_DOUBLE)
                t->d[r * (size_t)v->shape.dims[1] + k] = c->number[r];
            else if (e->kind == KIND_TEXT && span_compare(v->name, e->name) == 0)
                t->s[r] =
                    c->code[r] == NO_CATEGORY ? (struct span){"", 0} : c->categories[c->code[r]];
    }
    return t;
}

static void written_models_read_back_and_predict_alike(void)
{
    struct fitted f;
    struct tensor *in[4], *out[4];
    double p[64];

    CHECK(fit(&f, true));
    CHECK(f.read.input_count == 2 && f.read.output_count == 2 && f.read.opset == 15);
    CHECK(strstr(f.read.metadata.data, "\"trainer\":\"x\"") != NULL);
    for (size_t i = 0; i < 2; i++)
        in[i] = input_of(&f, i);
    CHECK(onnx_run(&f.read, in, out, &pool, &why) == OK);
    logistic_predict(&f.model, f.x, 3, p);
    for (size_t i = 0; i < f.table.rows; i++) {
        size_t best = 0;

        for (size_t c = 0; c < 3; c++) {
            CHECK(fabs(out[1]->d[i * 3 + c] - p[i * 3 + c]) < 1e-14);
            best = p[i * 3 + c] > p[i * 3 + best] ? c : best;
        }
        CHECK(span_compare(out[0]->s[i], f.target.text[best]) == 0);
    }
    text_free(&f.file);
}

static void written_regressions_predict_alike(void)
{
    struct fitted f;
    struct tensor *in[4], *out[4];
    double said[16];

    CHECK(fit(&f, false));
    for (size_t i = 0; i < f.read.input_count; i++)
        in[i] = input_of(&f, i);
    CHECK(onnx_run(&f.read, in, out, &pool, &why) == OK);
    ridge_predict(&f.model, f.x, said);
    for (size_t i = 0; i < f.table.rows; i++)
        CHECK(fabs(out[0]->d[i] - said[i]) < 1e-10);
    text_free(&f.file);
}

static void same_model_gives_the_same_bytes(void)
{
    struct fitted a, b;

    CHECK(fit(&a, true) && fit(&b, true));
    CHECK(a.file.length == b.file.length && memcmp(a.file.data, b.file.data, a.file.length) == 0);
    text_free(&a.file);
    text_free(&b.file);
}

/* Reads a copy that ends where the bytes do, so that a sanitizer sees every step beyond. */
static enum err read_copy(const char *data, size_t length)
{
    struct pool own = pool_new(64 << 20);
    char *copy = malloc(length + 1);
    struct model m;
    enum err e;

    if (length > 0)
        memcpy(copy, data, length);
    e = onnx_read(&m, (struct span){copy, length}, &own, &why);
    pool_free(&own);
    free(copy);
    return e;
}

static void truncated_models_are_refused(void)
{
    struct fitted f;
    size_t refused = 0;

    CHECK(fit(&f, true));
    for (size_t n = 0; n < f.file.length; n++)
        refused += read_copy(f.file.data, n) == ERR_CONTENT;
    /* the parts at the end are optional: operator sets and metadata are the last */
    CHECK(refused > f.file.length * 3 / 4);
    text_free(&f.file);
}

/* Any answer but a crash will do. */
static void damaged_models_do_no_harm(void)
{
    struct fitted f;
    uint64_t state = 3;

    CHECK(fit(&f, true));
    for (int round = 0; round < 20000; round++) {
        char *copy = malloc(f.file.length);

        memcpy(copy, f.file.data, f.file.length);
        for (int k = 0; k < 1 + round % 3; k++) {
            state = state * 6364136223846793005U + 1442695040888963407U;
            copy[(state >> 33) % f.file.length] = (char)(state >> 25);
        }
        (void)!read_copy(copy, f.file.length);
        free(copy);
    }
    text_free(&f.file);
}

/* A model around one graph, ready to read. */
static struct text wrap(struct text *graph)
{
    struct text model = text_new(1 << 28), opset = text_new(100);

    proto_number(&model, MODEL_IR_VERSION, 8);
    proto_message(&model, MODEL_GRAPH, graph);
    proto_number(&opset, OPSET_VERSION, 15);
    proto_message(&model, MODEL_OPSET, &opset);
    return model;
}

static void add_io(struct text *graph, enum onnx_field field, const char *name)
{
    struct text tensor = text_new(100), type = text_new(100), value = text_new(100);

    proto_number(&tensor, TYPE_TENSOR_ELEMENT, ELEMENT_DOUBLE);
    proto_message(&type, TYPE_TENSOR, &tensor);
    proto_string(&value, VALUE_NAME, name);
    proto_message(&value, VALUE_TYPE, &type);
    proto_message(graph, field, &value);
}

static void add_op(struct text *graph, const char *op, const char *in, const char *out)
{
    struct text node = text_new(1000);

    proto_string(&node, NODE_INPUT, in);
    proto_string(&node, NODE_OUTPUT, out);
    proto_string(&node, NODE_NAME, "here");
    proto_string(&node, NODE_OP, op);
    proto_message(graph, GRAPH_NODE, &node);
}

/* Whether the graph x -> … -> y is refused with those words. */
static bool refused(struct text *graph, const char *words)
{
    struct text model;
    enum err e;

    add_io(graph, GRAPH_INPUT, "x");
    add_io(graph, GRAPH_OUTPUT, "y");
    model = wrap(graph);
    e = read_copy(model.data, model.length);
    text_free(&model);
    return e == ERR_CONTENT && strstr(why.text, words) != NULL;
}

static void bad_graphs_are_refused_by_name(void)
{
    struct text g = text_new(1 << 20);

    add_op(&g, "Exp", "x", "y");
    CHECK(!refused(&g, "") && why.code != ERR_INTERNAL);
    add_op(&g, "Frobnicate", "x", "y");
    CHECK(refused(&g, "node \"here\": the operator Frobnicate is not supported"));
    add_op(&g, "Exp", "b", "a"), add_op(&g, "Exp", "a", "b"), add_op(&g, "Exp", "a", "y");
    CHECK(refused(&g, "uses \"b\" before anything makes it"));
    add_op(&g, "Exp", "a", "a");
    CHECK(refused(&g, "uses \"a\" before"));
    add_op(&g, "Exp", "x", "y"), add_op(&g, "Exp", "x", "y");
    CHECK(refused(&g, "\"y\" is made twice"));
    add_op(&g, "Exp", "x", "z");
    CHECK(refused(&g, "nothing makes the output \"y\""));
    add_op(&g, "Exp", "x\x01", "y");
    CHECK(refused(&g, "control character"));
    proto_bytes(&g, GRAPH_SPARSE_INITIALIZER, "", 0);
    CHECK(refused(&g, "sparse"));
}

/* An initializer w with those fields, in a graph that gives it back. */
static bool tensor_refused(struct text *tensor, const char *words)
{
    struct text graph = text_new(1 << 20);

    proto_string(tensor, TENSOR_NAME, "w");
    proto_message(&graph, GRAPH_INITIALIZER, tensor);
    add_op(&graph, "Identity", "w", "y");
    return refused(&graph, words);
}

static void bad_tensors_are_refused(void)
{
    struct text t = text_new(1 << 20), entry = text_new(100);

    proto_number(&t, TENSOR_DIMS, (uint64_t)1 << 62), proto_number(&t, TENSOR_DIMS, 8);
    proto_number(&t, TENSOR_TYPE, ELEMENT_DOUBLE);
    CHECK(tensor_refused(&t, "more elements than the file has bytes"));
    proto_number(&t, TENSOR_DIMS, UINT64_MAX);
    CHECK(tensor_refused(&t, "negative dimension"));
    for (int i = 0; i < 9; i++)
        proto_number(&t, TENSOR_DIMS, 1);
    CHECK(tensor_refused(&t, "more than 8 dimensions"));
    proto_number(&t, TENSOR_DIMS, 3), proto_number(&t, TENSOR_TYPE, ELEMENT_DOUBLE);
    proto_bytes(&t, TENSOR_RAW, "12345678", 8);
    CHECK(tensor_refused(&t, "3 double elements has 8 bytes"));
    proto_number(&t, TENSOR_DIMS, 2), proto_number(&t, TENSOR_TYPE, ELEMENT_INT64);
    proto_bytes(&t, TENSOR_INT64S, "\x01\x02\x03", 3);
    CHECK(tensor_refused(&t, "2 elements has 3 values"));
    proto_number(&t, TENSOR_DIMS, 1), proto_number(&t, TENSOR_TYPE, 10);
    proto_bytes(&t, TENSOR_RAW, "12", 2);
    CHECK(tensor_refused(&t, "float16, which is not supported"));
    proto_string(&entry, ENTRY_KEY, "location"), proto_string(&entry, ENTRY_VALUE, "/etc/passwd");
    proto_message(&t, TENSOR_EXTERNAL, &entry);
    CHECK(tensor_refused(&t, "another file, which is refused"));
}

/* Graphs inside attributes inside graphs, 10,000 deep: what kills readers that recurse. */
static void nested_graphs_are_refused(void)
{
    struct text inner = text_new(1 << 26);

    for (int depth = 0; depth < 2000; depth++) {
        struct text attribute = text_new(1 << 26), node = text_new(1 << 26);
        struct text graph = text_new(1 << 26);

        proto_string(&attribute, ATTRIBUTE_NAME, "body");
        proto_message(&attribute, ATTRIBUTE_GRAPH, &inner);
        proto_string(&node, NODE_OP, "Identity");
        proto_message(&node, NODE_ATTRIBUTE, &attribute);
        proto_message(&graph, GRAPH_NODE, &node);
        inner = graph;
    }
    CHECK(refused(&inner, "control flow is not supported"));
}

/* Twenty megabytes of empty nodes: refused by their number, before memory is taken for them. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SLOWEST_S = 30 };
#else
enum { SLOWEST_S = 2 };
#endif

static void giant_counts_are_refused_at_once(void)
{
    struct text graph = text_new(1 << 26);
    clock_t start;

    for (int i = 0; i < 10000000; i++)
        text_add(&graph, "\x0a\x00", 2);
    start = clock();
    CHECK(refused(&graph, "10000000 nodes, more than 100000"));
    CHECK((double)(clock() - start) / CLOCKS_PER_SEC < SLOWEST_S);
}

static void damaged_wire_is_refused(void)
{
    CHECK(read_copy("\x3b\x3c", 2) == ERR_CONTENT && strstr(why.text, "group") != NULL);
    CHECK(read_copy("\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10) == ERR_CONTENT);
    CHECK(read_copy("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12) == ERR_CONTENT);
    CHECK(read_copy("\x00\x00", 2) == ERR_CONTENT && strstr(why.text, "field number") != NULL);
    CHECK(read_copy("not a model at all", 18) == ERR_CONTENT);
    CHECK(read_copy("", 0) == ERR_CONTENT && strstr(why.text, "no graph") != NULL);
}

static void wrong_inputs_are_refused_when_run(void)
{
    struct fitted f;
    struct tensor *in[4], *out[4];

    CHECK(fit(&f, true));
    in[0] = input_of(&f, 0);
    in[1] = input_of(&f, 1);
    in[0]->dims[1]++;
    CHECK(onnx_run(&f.read, in, out, &pool, &why) == ERR_INVALID);
    CHECK(strstr(why.text, "dimension 1 of input \"features\" is 3, not 4") != NULL);
    in[0]->dims[1]--;
    in[0]->rank = 1;
    CHECK(onnx_run(&f.read, in, out, &pool, &why) == ERR_INVALID);
    in[0] = in[1];
    CHECK(onnx_run(&f.read, in, out, &pool, &why) == ERR_INVALID);
    CHECK(strstr(why.text, "input \"features\" is double, not string") != NULL);
    text_free(&f.file);
}

int main(void)
{
    pool = pool_new((size_t)1 << 30);
    RUN(written_models_read_back_and_predict_alike);
    RUN(written_regressions_predict_alike);
    RUN(same_model_gives_the_same_bytes);
    RUN(truncated_models_are_refused);
    RUN(damaged_models_do_no_harm);
    RUN(bad_graphs_are_refused_by_name);
    RUN(bad_tensors_are_refused);
    RUN(nested_graphs_are_refused);
    RUN(giant_counts_are_refused_at_once);
    RUN(damaged_wire_is_refused);
    RUN(wrong_inputs_are_refused_when_run);
    pool_free(&pool);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
