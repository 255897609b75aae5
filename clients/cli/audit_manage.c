/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/run.h"

#include "clients/cli/http.h"
#include "clients/cli/print.h"
#include "clients/cli/sse.h"
#include "clients/cli/table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECRET_FILE_MAX = 4096, CA_FILE_MAX = 16384 };

static void put_number(struct cli *c, json_t *body, const char *name, const char *text)
{
    char *end = NULL;
    long long number;

    if (text == NULL)
        return;
    errno = 0;
    number = strtoll(text, &end, 10);
    if (errno != 0 || *text == '\0' || *end != '\0')
        die(USAGE, "%s must be a whole number, not %s", name, clean_text(c->arena, text));
    (void)json_object_set_new(body, name, json_integer((json_int_t)number));
}

static int show(struct cli *c, const char *method, const char *path, json_t *body)
{
    print_object(c, api(c, method, path, body));
    return DONE;
}

int run_audit_policy(struct cli *c)
{
    const struct reply *r =
        http_call(c, &(struct call){.method = "GET", .path = "/v1/audit/log/policy"});

    reply_expect(c, r);
    (void)fwrite(r->body, 1, r->length, stdout);
    return DONE;
}

int run_audit_consistency(struct cli *c)
{
    const char *path = path_query(c, "/v1/audit/log/consistency", "from", c->args.values[0]);

    return show(c, "GET", path_query(c, path, "to", c->args.values[1]), NULL);
}

int run_audit_rotate(struct cli *c)
{
    json_t *body = keep(c, json_object());

    put_number(c, body, "overlap_hours", option(c, "--overlap-hours"));
    return show(c, "POST", "/v1/audit/log/rotate", body);
}

int run_audit_erase(struct cli *c)
{
    const char *reason = option(c, "--reason");

    if (reason == NULL)
        die(USAGE, "usage: audit erase needs --reason TEXT, which is recorded");
    return show(c, "POST", "/v1/audit/erasures",
                keep(c, json_pack("{s:s, s:s}", "principal", c->args.values[0], "reason", reason)));
}

int run_audit_decide(struct cli *c)
{
    return show(c, "POST", path_of(c, "/v1/audit/erasures/{1}/decision", NULL),
                keep(c, json_pack("{s:s}", "verdict", c->args.values[1])));
}

int run_audit_keep(struct cli *c)
{
    const char *path = path_of(c, "/v1/audit/retention/{1}", NULL);
    json_t *body = keep(c, json_object());

    if (c->args.count > 1) {
        put_number(c, body, "days", c->args.values[1]);
        return show(c, "PUT", path, body);
    }
    (void)api(c, "DELETE", path, NULL);
    say(c, "%s is kept for ever", c->args.values[0]);
    return DONE;
}

static void put_file(struct cli *c, json_t *body, const char *name, const char *path, size_t max)
{
    size_t length;
    char *text;

    if (path == NULL)
        return;
    text = file_read(c, path, max, &length);
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r'))
        text[--length] = '\0';
    (void)json_object_set_new(body, name, json_string(text));
}

int run_audit_sink(struct cli *c)
{
    json_t *body = keep(c, json_pack("{s:s}", "kind", c->args.values[1]));

    if (c->args.count > 2)
        (void)json_object_set_new(body, "target", json_string(c->args.values[2]));
    put_file(c, body, "secret", option(c, "--secret-file"), SECRET_FILE_MAX);
    put_file(c, body, "ca", option(c, "--ca-file"), CA_FILE_MAX);
    put_number(c, body, "from_index", option(c, "--from-index"));
    return show(c, "PUT", path_of(c, "/v1/audit/sinks/{1}", NULL), body);
}

int run_audit_witness(struct cli *c)
{
    return show(
        c, "PUT", path_of(c, "/v1/audit/witnesses/{1}", NULL),
        keep(c, json_pack("{s:s, s:s}", "vkey", c->args.values[1], "url", c->args.values[2])));
}

static bool to_file(void *context, const char *data, size_t length)
{
    return fwrite(data, 1, length, context) == length;
}

int run_audit_report(struct cli *c)
{
    static const char *const names[] = {"format", "actor", "action",  "object", "outcome",
                                        "from",   "to",    "request", "q"};
    const char *path = "/v1/audit/export", *file = c->args.values[0];
    FILE *to;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        path = path_query(c, path, names[i], option(c, arena_printf(c->arena, "--%s", names[i])));
    to = fopen(file, "wbe");
    if (to == NULL)
        die(USAGE, "%s: %s", file, strerrordesc_np(errno));
    reply_expect(c, http_call(c, &(struct call){.method = "GET",
                                                .path = path,
                                                .sink = to_file,
                                                .context = to,
                                                .progress = file,
                                                .patient = true}));
    if (fclose(to) != 0)
        die(USAGE, "%s: %s", file, strerrordesc_np(errno));
    say(c, "saved in %s", file);
    return DONE;
}

static void on_entry(void *context, const char *event, const char *data)
{
    const struct cli *c = context;
    json_t *entry = json_loads(data, 0, NULL);

    if (strcmp(event, "entry") != 0 || entry == NULL) {
        json_decref(entry);
        return;
    }
    if (c->json)
        (void)printf("%s\n", data);
    else
        (void)printf("%8s  %s  %-20s %-32s %s %s\n",
                     cell_text(c->arena, json_object_get(entry, "index")),
                     cell_text(c->arena, json_object_get(entry, "at")),
                     cell_text(c->arena, json_object_get(entry, "actor_name")),
                     cell_text(c->arena, json_object_get(entry, "action")),
                     cell_text(c->arena, json_object_get(entry, "outcome")),
                     cell_text(c->arena, json_object_get(entry, "object")));
    (void)fflush(stdout);
    json_decref(entry);
}

static bool feed(void *context, const char *data, size_t length)
{
    return sse_feed(context, data, length);
}

/* Until the service or the person ends it. */
int run_audit_tail(struct cli *c)
{
    const char *path = path_query(c, "/v1/audit/tail", "from_index", option(c, "--from-index"));
    struct sse sse;

    sse_init(&sse, on_entry, c);
    reply_expect(c, http_call(c, &(struct call){.method = "GET",
                                                .path = path,
                                                .headers = {"Accept: text/event-stream"},
                                                .sink = feed,
                                                .context = &sse,
                                                .patient = true}));
    sse_free(&sse);
    return DONE;
}
