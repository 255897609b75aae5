/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/run.h"

#include "clients/cli/http.h"
#include "clients/cli/print.h"
#include "clients/cli/table.h"
#include "clients/cli/vkeys.h"
#include "core/crypto.h"
#include "lineage/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SALT_MAX = 64 };

/* Runs over payloads.jsonl beside the walk over the entries: both go by index. */
struct payloads {
    FILE *file; /* NULL when they are not asked for */
    char *line;
    size_t room;
    json_t *head; /* the line not used yet; NULL at the end */
    uint64_t right;
    uint64_t erased;
};

struct check {
    struct cli *cli;
    struct payloads payloads;
    json_t *problems;
};

static void report(struct check *k, uint64_t leaf, const char *file, const char *what,
                   const char *detail)
{
    struct arena *a = k->cli->arena;
    json_t *one = json_pack("{s:s, s:s, s:s}", "file", clean_text(a, file), "problem", what,
                            "detail", clean_text(a, detail));
    const char *where = leaf == LOG_NO_LEAF
                            ? clean_text(a, file)
                            : arena_printf(a, "leaf %llu", (unsigned long long)leaf);

    if (leaf != LOG_NO_LEAF)
        (void)json_object_set_new(one, "leaf", json_integer((json_int_t)leaf));
    (void)json_array_append_new(k->problems, one);
    if (!k->cli->json)
        (void)printf("%s: %s in %s: %s\n", where, what, clean_text(a, file), clean_text(a, detail));
}

static void on_problem(void *context, const struct log_problem *p)
{
    report(context, p->leaf, p->file, log_trouble_text(p->trouble), p->detail);
}

static void next_line(struct check *k)
{
    struct payloads *p = &k->payloads;
    ssize_t length = getline(&p->line, &p->room, p->file);

    json_decref(p->head);
    p->head = length < 0 ? NULL : json_loadb(p->line, (size_t)length, JSON_REJECT_DUPLICATES, NULL);
    if (length >= 0 && !json_is_integer(json_object_get(p->head, "index")))
        report(k, LOG_NO_LEAF, "payloads.jsonl", "wrong payload", "a line is not as it should be");
}

static uint64_t line_index(const struct payloads *p)
{
    json_int_t index = json_integer_value(json_object_get(p->head, "index"));

    return p->head == NULL ? UINT64_MAX : (uint64_t)index;
}

/* The leaf's member "commit" is HMAC-SHA256(salt, payload) in hexadecimal. */
static const char *payload_fault(const json_t *line, const json_t *leaf)
{
    const char *salt = json_string_value(json_object_get(line, "salt"));
    const char *payload = json_string_value(json_object_get(line, "payload"));
    const char *commit = json_string_value(json_object_get(leaf, "commit"));
    unsigned char key[SALT_MAX];
    char hex[2 * SHA256_SIZE + 1];
    struct digest found;

    if (commit == NULL)
        return "the entry binds no payload";
    if (salt == NULL || payload == NULL || strlen(salt) > 2 * sizeof(key) ||
        !hex_decode(salt, key, strlen(salt) / 2))
        return "salt or payload are missing or not as they should be";
    found = hmac_sha256(key, strlen(salt) / 2, payload, strlen(payload));
    hex_encode(found.bytes, sizeof(found.bytes), hex);
    return strcmp(hex, commit) == 0 ? NULL : "it is not the payload that the entry binds";
}

static bool is_erased(const json_t *line)
{
    return json_is_null(json_object_get(line, "payload")) &&
           json_is_null(json_object_get(line, "salt"));
}

static void on_entry(void *context, uint64_t index, const uint8_t *entry, size_t length)
{
    struct check *k = context;
    struct payloads *p = &k->payloads;
    const char *fault;
    json_t *leaf;

    if (p->file == NULL)
        return;
    while (line_index(p) < index)
        next_line(k);
    if (line_index(p) != index) {
        report(k, index, "payloads.jsonl", "missing payload", "there is no line for this entry");
        return;
    }
    if (is_erased(p->head)) { /* both are null: what the entry said is gone, that it was is not */
        p->erased++;
        return;
    }
    leaf = json_loadb((const char *)entry, length, 0, NULL);
    fault = payload_fault(p->head, leaf);
    if (fault == NULL)
        p->right++;
    else
        report(k, index, "payloads.jsonl", "wrong payload", fault);
    json_decref(leaf);
}

static void payloads_open(struct check *k, const char *folder)
{
    const char *path = arena_printf(k->cli->arena, "%s/payloads.jsonl", folder);

    if (option(k->cli, "--payloads") == NULL)
        return;
    k->payloads.file = fopen(path, "rbe");
    if (k->payloads.file == NULL)
        die(USAGE, "%s cannot be read", path);
    next_line(k);
}

static void payloads_close(struct payloads *p)
{
    if (p->file != NULL)
        (void)fclose(p->file);
    free(p->line);
    json_decref(p->head);
}

static void conclude(const struct check *k, const struct log_summary *s)
{
    char root[2 * SHA256_SIZE + 1];
    const struct checkpoint *head = &s->checkpoint;

    hex_encode(head->root.bytes, SHA256_SIZE, root);
    if (k->cli->json)
        print_json(keep(k->cli, json_pack("{s:s, s:I, s:s, s:I, s:I, s:O}", "origin", head->origin,
                                          "size", (json_int_t)head->size, "root", root, "entries",
                                          (json_int_t)s->entries, "payloads",
                                          (json_int_t)k->payloads.right, "problems", k->problems)));
    say(k->cli, "%llu of %llu entries of %s are proven under root %s",
        (unsigned long long)s->entries, (unsigned long long)head->size,
        head->origin[0] == '\0' ? "an unknown log" : head->origin, root);
    if (k->payloads.file != NULL)
        say(k->cli, "%llu payloads are those that were logged, %llu are erased",
            (unsigned long long)k->payloads.right, (unsigned long long)k->payloads.erased);
}

/* A log is exported into a folder, the proof of a part of the graph into a file. */
static bool is_file(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

int run_audit_verify(struct cli *c)
{
    const char *folder = c->args.values[0];
    const char *path = option(c, "--vkey");
    struct check k = {.cli = c, .problems = json_array()};
    struct log_watcher watcher = {.problem = on_problem, .entry = on_entry, .context = &k};
    struct log_summary summary;
    struct vkeys keys;
    size_t count;
    bool well;

    if (path == NULL)
        die(USAGE, "usage: audit verify needs --vkey FILE, a key you have from elsewhere than %s",
            folder);
    if (is_file(folder)) {
        json_decref(k.problems);
        return run_lineage_verify(c);
    }
    vkeys_read(c, path, &keys);
    payloads_open(&k, folder);
    well = log_verify_directory(folder, keys.keys, keys.count, &watcher, &summary);
    conclude(&k, &summary);
    count = json_array_size(k.problems);
    payloads_close(&k.payloads);
    json_decref(k.problems);
    if (!well || count > 0)
        die(UNVERIFIED, "unverified: %zu problem%s", count, count == 1 ? "" : "s");
    return DONE;
}
