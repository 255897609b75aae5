/* SPDX-License-Identifier: Apache-2.0 */
/* ONNX's own conformance suite (Debian's libonnx-testdata): for each model in it the interpreter
 * must either refuse by name what it does not know, or give the expected numbers. Wrong numbers
 * fail. */
#include "compute/engine/onnx.h"
#include "compute/engine/onnx_parts.h"
#include "tests/unit/test_engine.h"

#include <dirent.h>
#include <math.h>

static const char SUITE[] = "/usr/share/libonnx-testdata/data";

enum { FEWEST_PASSED = 400, PORTS = 16 };

enum outcome { PASSED, REFUSED, WRONG };

/* One case while it runs; the files stay in memory until its pool goes. */
struct trial {
    struct pool pool;
    struct refusal why;
    char folder[512];
};

static bool slurp(struct trial *t, const char *name, struct span *out)
{
    char path[700];
    FILE *file;
    long size = 0;
    char *data;

    (void)snprintf(path, sizeof(path), "%s/%s", t->folder, name);
    file = fopen(path, "rb");
    if (file == NULL)
        return false;
    if (fseek(file, 0, SEEK_END) == 0)
        size = ftell(file);
    rewind(file);
    data = pool_take(&t->pool, (size_t)size + 1, 1);
    *out = (struct span){data, data == NULL ? 0 : fread(data, 1, (size_t)size, file)};
    (void)fclose(file);
    return data != NULL;
}

/* The tensor in a file of the first data set; NULL when there is no such file or it cannot be read.
 */
static struct tensor *tensor_in(struct trial *t, const char *kind, size_t number)
{
    char name[64];
    struct span file, ignored;
    struct tensor *tensor;

    (void)snprintf(name, sizeof(name), "test_data_set_0/%s_%zu.pb", kind, number);
    if (!slurp(t, name, &file) ||
        onnx_read_tensor(file, &tensor, &ignored, &t->pool, &t->why) != OK)
        return NULL;
    return tensor;
}

static bool close_to(const struct tensor *want, const struct tensor *got, size_t i)
{
    double a = want->type == ELEMENT_STRING ? 0 : tensor_get(want, i);
    double b = got->type == ELEMENT_STRING ? 0 : tensor_get(got, i);

    if (want->type == ELEMENT_STRING)
        return span_compare(want->s[i], got->s[i]) == 0;
    return a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= 1e-7 + 1e-3 * fabs(a);
}

static bool same(const struct tensor *want, const struct tensor *got)
{
    if (want->type != got->type || want->rank != got->rank ||
        memcmp(want->dims, got->dims, want->rank * sizeof(want->dims[0])) != 0)
        return false;
    for (size_t i = 0; i < want->count; i++)
        if (!close_to(want, got, i))
            return false;
    return true;
}

static enum outcome run(struct trial *t)
{
    struct tensor *in[PORTS], *out[PORTS];
    struct span file;
    struct model m;

    if (!slurp(t, "model.onnx", &file) || onnx_read(&m, file, &t->pool, &t->why) != OK ||
        m.input_count > PORTS || m.output_count > PORTS)
        return REFUSED;
    for (size_t i = 0; i < m.input_count; i++) {
        in[i] = tensor_in(t, "input", i);
        if (in[i] == NULL)
            return REFUSED;
    }
    if (onnx_run(&m, in, out, &t->pool, &t->why) != OK)
        return REFUSED;
    for (size_t i = 0; i < m.output_count; i++) {
        const struct tensor *want = tensor_in(t, "output", i);

        if (want == NULL || !same(want, out[i]))
            return WRONG;
    }
    return PASSED;
}

static void run_folder(const char *group, size_t counts[3])
{
    char path[256];
    struct dirent *entry;
    DIR *folder;

    (void)snprintf(path, sizeof(path), "%s/%s", SUITE, group);
    folder = opendir(path);
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        struct trial t = {.pool = pool_new(1 << 28)};
        enum outcome outcome;

        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(t.folder, sizeof(t.folder), "%s/%.200s", path, entry->d_name);
        outcome = run(&t);
        counts[outcome]++;
        if (outcome == WRONG || getenv("VERBOSE") != NULL)
            (void)printf("  %s: %s %s\n", entry->d_name, outcome == WRONG ? "WRONG" : "",
                         outcome == REFUSED ? t.why.text : "");
        pool_free(&t.pool);
    }
    if (folder != NULL)
        (void)closedir(folder);
}

static void no_operator_of_the_suite_gives_wrong_numbers(void)
{
    static const char *const groups[] = {"node", "simple", "pytorch-converted", "pytorch-operator"};
    size_t counts[3] = {0};

    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
        run_folder(groups[i], counts);
    (void)printf("  %zu as expected, %zu refused by name, %zu wrong\n", counts[PASSED],
                 counts[REFUSED], counts[WRONG]);
    CHECK(counts[WRONG] == 0);
    CHECK(counts[PASSED] >= FEWEST_PASSED);
}

int main(void)
{
    if (access(SUITE, R_OK) != 0) {
        (void)puts("skipped no_operator_of_the_suite_gives_wrong_numbers: libonnx-testdata is not "
                   "installed");
        return EXIT_SUCCESS;
    }
    RUN(no_operator_of_the_suite_gives_wrong_numbers);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
