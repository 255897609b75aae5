/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/run.h"

#include "clients/cli/asset.h"
#include "clients/cli/http.h"
#include "clients/cli/print.h"
#include "clients/cli/watch.h"

#include <string.h>

/* "a,b,c" as a list; NULL stays NULL. */
static json_t *features_of(const struct cli *c)
{
    const char *text = option(c, "--features");
    json_t *list;

    if (text == NULL)
        return NULL;
    list = json_array();
    while (*text != '\0') {
        size_t length = strcspn(text, ",");

        (void)json_array_append_new(list, json_stringn(text, length));
        text += length + (text[length] == ',' ? 1 : 0);
    }
    return list;
}

static const char *needed(const struct cli *c, const char *name)
{
    const char *value = option(c, name);

    if (value == NULL || *value == '\0')
        die(USAGE, "usage: %s needs %s", c->command->name, name);
    return value;
}

/* The answer to a new job: what it is and what it waits for; with --watch, also its way. */
static int begun(struct cli *c, const json_t *job)
{
    const char *id = json_string_value(json_object_get(job, "id"));
    const char *state = json_string_value(json_object_get(job, "state"));
    const char *approval = json_string_value(json_object_get(job, "approval"));

    if (id == NULL || state == NULL)
        die(FAILED, "the service answered something that is not a job");
    if (option(c, "--watch") != NULL) {
        note(c, "job %s", id);
        return watch_job(c, id);
    }
    if (printed(c, job))
        return DONE;
    say(c, "job %s is %s", id, state);
    if (strcmp(state, "waiting") == 0 && approval != NULL)
        say(c, "it runs once request %s is approved", approval);
    return DONE;
}

int run_job_train(struct cli *c)
{
    const char *trainer = option(c, "--trainer");
    json_t *body =
        keep(c, json_pack("{s:s, s:s, s:s, s:s, s:s, s:o*, s:o*, s:o*, s:o*, s:o*}", "kind",
                          "train", "input", version_named(c, "datasets", needed(c, "--input")),
                          "output", asset_named(c, "models", needed(c, "--output")), "trainer",
                          trainer == NULL ? "logistic" : trainer, "target", needed(c, "--target"),
                          "features", features_of(c), "seed", option_number(c, "--seed", 0, 1e15),
                          "test_fraction", option_number(c, "--test-fraction", 0, 1), "l2",
                          option_number(c, "--l2", 0, 1e15), "max_iterations",
                          option_number(c, "--max-iterations", 1, 1e6)));

    return begun(c, api(c, "POST", path_of(c, "/v1/projects/{project}/jobs", NULL), body));
}

int run_job_predict(struct cli *c)
{
    json_t *body = keep(c, json_pack("{s:s, s:s, s:s, s:s}", "kind", "predict", "model",
                                     version_named(c, "models", needed(c, "--model")), "input",
                                     version_named(c, "datasets", needed(c, "--input")), "output",
                                     asset_named(c, "datasets", needed(c, "--output"))));

    return begun(c, api(c, "POST", path_of(c, "/v1/projects/{project}/jobs", NULL), body));
}

int run_job_watch(struct cli *c)
{
    return watch_job(c, c->args.values[0]);
}
