/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/sealed/graph_proof.h"

#include "lineage/proof.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { FAULT_MAX = 1024 };

struct checking {
    const struct graph_question *q;
    json_t *nodes;  /* names of nodes */
    json_t *leaves; /* request: [leaf]; only of proven entries */
    struct graph_check *out;
    bool good;
};

__attribute__((format(printf, 2, 3))) static void fault(struct checking *k, const char *format, ...)
{
    char text[FAULT_MAX];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    k->good = false;
    k->q->say(k->q->context, text);
}

static const char *text_of(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));

    return text == NULL ? "" : text;
}

static bool proven(struct checking *k, const char *leaf, const char *proof)
{
    struct digest hash = merkle_leaf(leaf, strlen(leaf));
    struct checkpoint c;
    struct log_proof p;

    if (log_proof_parse(proof, strlen(proof), &p) != OK ||
        log_proof_verify(&p, &hash, k->q->keys, k->q->key_count, &c) != LOG_PROOF_GOOD)
        return false;
    if (k->q->checkpoint != NULL &&
        (p.checkpoint_length != k->q->checkpoint_length ||
         memcmp(p.checkpoint, k->q->checkpoint, p.checkpoint_length) != 0))
        return false;
    if (c.size > k->out->checkpoint.size)
        k->out->checkpoint = c;
    return true;
}

static void check_entry(struct checking *k, size_t i, const json_t *entry)
{
    const char *leaf = text_of(entry, "leaf");
    json_t *said, *list;

    if (!proven(k, leaf, text_of(entry, "proof"))) {
        fault(k, "entries[%zu] is not proven to be in the log", i);
        return;
    }
    k->out->entries++;
    said = json_loads(leaf, JSON_REJECT_DUPLICATES, NULL);
    list = json_object_get(k->leaves, text_of(said, "request"));
    if (list == NULL) {
        list = json_array();
        json_object_set_new(k->leaves, text_of(said, "request"), list);
    }
    json_array_append_new(list, said == NULL ? json_null() : said);
}

/* Whether the object of an entry is the thing, or what the thing is part of. */
static bool is_about(const json_t *leaf, const char *thing)
{
    const char *project = text_of(leaf, "project"), *object = text_of(leaf, "object");
    size_t p = strlen(project), o = strlen(object);

    if (p == 0 || o == 0 || strncmp(thing, "projects/", 9) != 0)
        return false;
    thing += 9;
    if (strncmp(thing, project, p) != 0 || thing[p] != '/' ||
        strncmp(thing + p + 1, object, o) != 0)
        return false;
    return thing[p + 1 + o] == '\0' || thing[p + 1 + o] == '/';
}

/* A prediction hangs below its deployment, whose endpoint the entry is about. */
static bool supports(const json_t *leaf, const json_t *edge)
{
    if (strcmp(text_of(leaf, "outcome"), "ok") != 0)
        return false;
    if (strncmp(text_of(leaf, "object"), "lineage/events/", 15) == 0)
        return strncmp(text_of(edge, "src"), "projects/", 9) != 0 ||
               strncmp(text_of(edge, "dst"), "projects/", 9) != 0;
    if (strncmp(text_of(leaf, "object"), "bundles/", 8) == 0)
        return strncmp(text_of(edge, "src"), "imported:", 9) == 0;
    return is_about(leaf, text_of(edge, "src")) || is_about(leaf, text_of(edge, "dst"));
}

static bool known(const struct checking *k, const json_t *edge, const char *end)
{
    return json_object_get(k->nodes, text_of(edge, end)) != NULL;
}

static void check_edge(struct checking *k, const json_t *edge)
{
    const json_t *list = json_object_get(k->leaves, text_of(edge, "request"));
    bool supported = false;

    for (size_t i = 0; i < json_array_size(list) && !supported; i++)
        supported = supports(json_array_get(list, i), edge);
    k->out->edges++;
    k->out->proven += supported;
    if (supported && k->q->edge != NULL)
        k->q->edge(k->q->context, edge);
    if (!known(k, edge, "src") || !known(k, edge, "dst"))
        fault(k, "an edge ends at a node that is not in the file: %s %s %s", text_of(edge, "src"),
              text_of(edge, "kind"), text_of(edge, "dst"));
    else if (!supported && !k->q->lax)
        fault(k, "no entry proves: %s %s %s", text_of(edge, "src"), text_of(edge, "kind"),
              text_of(edge, "dst"));
}

bool graph_proof_check(const struct graph_question *q, struct graph_check *out)
{
    struct checking k = {
        .q = q, .nodes = json_object(), .leaves = json_object(), .out = out, .good = true};
    const json_t *nodes = json_object_get(q->file, "nodes"),
                 *entries = json_object_get(q->file, "entries"),
                 *edges = json_object_get(q->file, "edges");

    *out = (struct graph_check){.edges = 0};
    if (!json_is_array(entries) || !json_is_array(edges) || !json_is_array(nodes))
        fault(&k, "the file has no nodes, edges and entries");
    for (size_t i = 0; i < json_array_size(nodes); i++)
        json_object_set_new(k.nodes, text_of(json_array_get(nodes, i), "name"), json_true());
    for (size_t i = 0; i < json_array_size(entries); i++)
        check_entry(&k, i, json_array_get(entries, i));
    for (size_t i = 0; i < json_array_size(edges); i++)
        check_edge(&k, json_array_get(edges, i));
    json_decref(k.nodes);
    json_decref(k.leaves);
    return k.good;
}
