/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/run.h"

#include "clients/cli/http.h"
#include "clients/cli/print.h"
#include "clients/cli/tensor.h"

#include <string.h>

enum { FILE_MAX = 16 << 20, ROWS_MAX = 100000 };

/* The name in "models/NAME/versions/3", which the endpoint serves now. */
static const char *served_model(const struct cli *c)
{
    const json_t *endpoint;
    const char *version;

    if (option(c, "--model") != NULL)
        return option(c, "--model");
    endpoint = api(c, "GET", path_of(c, "/v1/projects/{project}/endpoints/{1}", NULL), NULL);
    version = json_string_value(json_object_get(endpoint, "version"));
    if (version == NULL || strncmp(version, "models/", 7) != 0)
        die(REFUSED, "not-found: endpoint %s serves nothing now", c->args.values[0]);
    version += 7;
    return arena_copy(c->arena, version, strcspn(version, "/"));
}

/* The --set options as a table of one row. */
static void table_of_options(const struct cli *c, struct csv *table)
{
    size_t count = c->args.options_count;
    const char **fields = arena_alloc(c->arena, 2 * count * sizeof(*fields) + 1);

    *table = (struct csv){.fields = fields, .rows = 2};
    for (size_t i = 0; i < count; i++)
        table->columns += strcmp(c->args.options[i].name, "--set") == 0 ? 1 : 0;
    for (size_t i = 0, at = 0; i < count; i++) {
        const char *text = c->args.options[i].value;
        size_t length = strcspn(text, "=");

        if (strcmp(c->args.options[i].name, "--set") != 0)
            continue;
        if (text[length] == '\0')
            die(USAGE, "usage: --set takes COLUMN=VALUE");
        fields[at] = arena_copy(c->arena, text, length);
        fields[table->columns + at++] = text + length + 1;
    }
    if (table->columns == 0)
        die(USAGE, "usage: predict needs a FILE, or --set COLUMN=VALUE for each column");
}

static json_t *request_of_table(const struct cli *c, const char *model, const struct csv *table)
{
    uint64_t count = table->rows - 1;
    const char *limit = option(c, "--rows");
    const char *wrong = NULL;
    const json_t *metadata;
    json_t *body;

    if (limit != NULL && !uint_parse(limit, ROWS_MAX, &count))
        die(USAGE, "usage: --rows takes a number of rows up to %d", ROWS_MAX);
    if (count > table->rows - 1)
        count = table->rows - 1;
    metadata = api(c, "GET", path_of(c, "/serve/{project}/{1}/v2/models/{}", model, NULL), NULL);
    body = tensor_request(c->arena, metadata, table, (size_t)count, &wrong);
    if (body == NULL)
        die(USAGE, "usage: %s", wrong);
    return keep(c, body);
}

static json_t *request_of(const struct cli *c, const char *model)
{
    const char *path = c->args.count > 1 ? c->args.values[1] : NULL;
    struct csv table;
    const char *wrong;
    size_t length;
    char *text;

    if (path == NULL) {
        table_of_options(c, &table);
        return request_of_table(c, model, &table);
    }
    text = file_read(c, path, FILE_MAX, &length);
    if (text[strspn(text, " \t\r\n")] == '{') {
        json_t *body = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);

        if (body == NULL)
            die(USAGE, "%s is not JSON", path);
        return keep(c, body);
    }
    wrong = csv_parse(c->arena, text, &table);
    if (wrong != NULL)
        die(USAGE, "%s: %s", path, wrong);
    return request_of_table(c, model, &table);
}

int run_predict(struct cli *c)
{
    const char *model = served_model(c);
    struct call call = {.method = "POST",
                        .path = path_of(c, "/serve/{project}/{1}/v2/models/{}/infer", model, NULL),
                        .json = request_of(c, model)};
    const struct reply *r = http_call(c, &call);
    const char *columns;
    const char *deployment, *version;
    json_t *rows;

    reply_expect(c, r);
    if (printed(c, reply_json(c, r)))
        return DONE;
    rows = tensor_rows(c->arena, reply_json(c, r), &columns);
    if (rows == NULL)
        die(FAILED, "the service answered tensors that contradict their shapes");
    print_array(c, NULL, keep(c, rows), columns);
    deployment = reply_header(r, "chancery-deployment");
    version = reply_header(r, "chancery-model");
    say(c, "answered by %s, deployment %s", version == NULL ? "an unnamed model" : version,
        deployment == NULL ? "unknown" : deployment);
    return DONE;
}
