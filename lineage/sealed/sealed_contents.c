/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/canonical.h"
#include "lineage/sealed/graph_proof.h"
#include "lineage/sealed/sealed.h"

#include <stdio.h>
#include <string.h>

/* What the members of a head say of each other. All were hashed before: what is found here was
 * sealed so. */
struct contents {
    struct sealed *s;
    struct sealed_fault *fault;
    json_t *files; /* those that some manifest names */
    json_t *nodes; /* of the lineage, by name */
    json_t *done;  /* "projects/P/OBJECT" of what a proven entry is about, or led to */
};

static bool check_checkpoint(const struct contents *c, const struct note_key *keys, size_t count)
{
    const struct sealed_member *m = sealed_find(c->s, SEALED_HEAD);
    struct checkpoint head;

    if (m == NULL || checkpoint_open(m->data, (size_t)m->size, keys, count, &head) != NOTE_GOOD ||
        strcmp(head.origin, c->s->origin) != 0)
        return sealed_wrong(c->fault, c->s->arena,
                            "the checkpoint is not one that %s signed with a known key",
                            c->s->origin);
    return true;
}

static void first_fault(void *context, const char *text)
{
    const struct contents *c = context;

    if (c->fault->text == NULL)
        sealed_because(c->fault, c->s->arena, "%s: %s", SEALED_LINEAGE, text);
}

/* Something proven led to it. */
static void on_proven(void *context, const json_t *edge)
{
    const struct contents *c = context;

    json_object_set_new(c->done, sealed_text(edge, "dst"), json_true());
}

static bool is_word(const char *text)
{
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz-");

    return length > 0 && length <= 32 && text[length] == '\0';
}

/* What an importing graph can hold. */
static bool node_fits(const json_t *node)
{
    const char *name = sealed_text(node, "name"), *digest = sealed_text(node, "digest");
    struct digest ignored;

    return *name != '\0' && strlen(name) <= SEALED_NODE_NAME_MAX &&
           is_word(sealed_text(node, "kind")) && (*digest == '\0' || sealed_hex(digest, &ignored));
}

static bool edge_fits(const json_t *edge)
{
    int64_t ignored;

    return is_word(sealed_text(edge, "kind")) && time_parse(sealed_text(edge, "at"), &ignored) &&
           strcmp(sealed_text(edge, "src"), sealed_text(edge, "dst")) != 0;
}

static bool read_graph(struct contents *c)
{
    const json_t *nodes = json_object_get(c->s->lineage, "nodes"), *node;
    const json_t *edges = json_object_get(c->s->lineage, "edges"), *edge;
    size_t i;

    if (json_array_size(nodes) > SEALED_NODES_MAX)
        return sealed_wrong(c->fault, c->s->arena, "the lineage has too many nodes");
    json_array_foreach(nodes, i, node)
    {
        if (!node_fits(node))
            return sealed_wrong(c->fault, c->s->arena, "node %zu of the lineage is not one", i);
        json_object_set(c->nodes, sealed_text(node, "name"), (json_t *)node);
    }
    json_array_foreach(edges, i, edge)
    {
        if (!edge_fits(edge))
            return sealed_wrong(c->fault, c->s->arena, "edge %zu of the lineage is not one", i);
    }
    return true;
}

static void read_entries(struct contents *c)
{
    const json_t *entries = json_object_get(c->s->lineage, "entries");

    for (size_t i = 0; i < json_array_size(entries); i++) {
        json_t *leaf = json_loads(sealed_text(json_array_get(entries, i), "leaf"), 0, NULL);

        if (strcmp(sealed_text(leaf, "outcome"), "ok") == 0)
            json_object_set_new(c->done,
                                arena_printf(c->s->arena, "projects/%s/%s",
                                             sealed_text(leaf, "project"),
                                             sealed_text(leaf, "object")),
                                json_true());
        json_decref(leaf);
    }
}

static bool check_lineage(struct contents *c, const struct note_key *keys, size_t count)
{
    const struct sealed_member *head = sealed_find(c->s, SEALED_HEAD);
    struct graph_question q = {.keys = keys,
                               .key_count = count,
                               .checkpoint = head->data,
                               .checkpoint_length = (size_t)head->size,
                               .lax = true,
                               .say = first_fault,
                               .edge = on_proven,
                               .context = c};
    struct graph_check found;

    q.file = c->s->lineage = sealed_json(c->s, SEALED_LINEAGE, c->fault);
    if (q.file == NULL || !graph_proof_check(&q, &found) || !read_graph(c))
        return false;
    read_entries(c);
    c->s->edges = found.edges;
    c->s->proven = found.proven;
    c->s->entries = found.entries;
    return true;
}

static bool canonical_digest(const json_t *json, const char *wanted)
{
    struct text t = text_new(SEALED_HEAD_MAX);
    struct digest digest, expected;
    bool same = json != NULL && sealed_hex(wanted, &expected) && canonical_json(json, &t) == OK;

    if (same) {
        digest = sha256_of(t.data, t.length);
        same = digest_equal(&digest, &expected);
    }
    text_free(&t);
    return same;
}

/* What was decided was decided on the evidence that is here. */
static bool check_approval(const struct contents *c, const char *node, const json_t *approval)
{
    const char *id = sealed_text(approval, "id"),
               *digest = sealed_text(approval, "evidence_digest");
    const char *project = sealed_text(c->s->listing, "project");
    const json_t *decisions = json_object_get(approval, "decisions");

    if (!canonical_digest(json_object_get(approval, "evidence"), digest))
        return sealed_wrong(c->fault, c->s->arena,
                            "the evidence of approval %s of %s is not what it was decided on", id,
                            node);
    for (size_t i = 0; i < json_array_size(decisions); i++)
        if (strcmp(sealed_text(json_array_get(decisions, i), "evidence_digest"), digest) != 0)
            return sealed_wrong(c->fault, c->s->arena,
                                "approval %s of %s was decided on other evidence", id, node);
    if (strcmp(sealed_text(approval, "state"), "approved") == 0 &&
        json_object_get(c->done,
                        arena_printf(c->s->arena, "projects/%s/approvals/%s", project, id)) == NULL)
        return sealed_wrong(c->fault, c->s->arena, "no entry of the log proves approval %s of %s",
                            id, node);
    return true;
}

static bool check_file(const struct contents *c, const char *node, const json_t *file)
{
    const char *path = sealed_text(file, "path"), *sha256 = sealed_text(file, "sha256");
    const struct sealed_member *m =
        sealed_find(c->s, arena_printf(c->s->arena, "%s%s", SEALED_FILES, sha256));

    if (!path_valid(path))
        return sealed_wrong(c->fault, c->s->arena, "%s has a file with a path that is none", node);
    if (m == NULL || m->size != json_integer_value(json_object_get(file, "size")))
        return sealed_wrong(c->fault, c->s->arena, "%s of %s is not among the members", path, node);
    json_object_set_new(c->files, m->name, json_true());
    return true;
}

static bool check_manifest(const struct contents *c, json_t *version)
{
    const char *node = sealed_text(version, "node"), *digest = sealed_text(version, "digest");
    const char *name = arena_printf(c->s->arena, "%s%s", SEALED_MANIFESTS, digest);
    json_t *manifest = sealed_json(c->s, name, c->fault);
    const json_t *files = json_object_get(manifest, "files"), *file;
    size_t i;

    if (manifest == NULL)
        return false;
    if (!json_is_array(files))
        return sealed_wrong(c->fault, c->s->arena, "%s has no list of files", name);
    json_array_foreach(files, i, file)
    {
        if (!check_file(c, node, file))
            return false;
        if (i > 0 && strcmp(sealed_text(json_array_get(files, i - 1), "path"),
                            sealed_text(file, "path")) >= 0)
            return sealed_wrong(c->fault, c->s->arena, "the files of %s are not in order", node);
    }
    json_object_set(version, "manifest", manifest);
    return true;
}

static const char *expected_node(const struct contents *c, const json_t *version)
{
    return arena_printf(c->s->arena, "projects/%s/%ss/%s/versions/%lld",
                        sealed_text(c->s->listing, "project"), sealed_text(version, "kind"),
                        sealed_text(version, "name"),
                        (long long)json_integer_value(json_object_get(version, "number")));
}

static bool check_version(const struct contents *c, json_t *version, const char *listed)
{
    const char *node = sealed_text(version, "node");
    const json_t *approvals = json_object_get(version, "approvals"), *approval;
    const json_t *known = json_object_get(c->nodes, node);
    size_t i;

    if (strcmp(node, listed) != 0 || strcmp(node, expected_node(c, version)) != 0 ||
        !name_valid(sealed_text(version, "name")))
        return sealed_wrong(c->fault, c->s->arena, "%s stands where %s must stand", node, listed);
    if (strcmp(sealed_text(known, "digest"), sealed_text(version, "digest")) != 0)
        return sealed_wrong(c->fault, c->s->arena, "the lineage knows %s by another digest", node);
    if (json_object_get(c->done, node) == NULL)
        return sealed_wrong(c->fault, c->s->arena, "no entry of the log proves %s", node);
    if (!check_manifest(c, version))
        return false;
    json_array_foreach(approvals, i, approval)
    {
        if (!check_approval(c, node, approval))
            return false;
    }
    return true;
}

static bool check_versions(struct contents *c)
{
    const json_t *file = sealed_json(c->s, SEALED_VERSIONS, c->fault);
    const json_t *listed = json_object_get(c->s->listing, "versions");
    size_t count = json_array_size(listed);

    if (file == NULL)
        return false;
    c->s->versions = json_object_get(file, "versions");
    if (count == 0 || count > SEALED_VERSIONS_MAX || json_array_size(c->s->versions) != count)
        return sealed_wrong(c->fault, c->s->arena, "the versions are not those of the listing");
    for (size_t i = 0; i < count; i++) {
        const char *name = json_string_value(json_array_get(listed, i));

        if (!check_version(c, json_array_get(c->s->versions, i), name == NULL ? "" : name))
            return false;
    }
    return true;
}

static bool has_version(const struct sealed *s, const char *digest)
{
    for (size_t i = 0; i < json_array_size(s->versions); i++)
        if (strncmp(sealed_text(json_array_get(s->versions, i), "digest"), digest,
                    (size_t)2 * SHA256_SIZE) == 0)
            return true;
    return false;
}

/* Nothing is carried that nothing names; and what is named by its digest has that digest. */
static bool check_members(const struct contents *c)
{
    for (size_t i = 0; i < c->s->count; i++) {
        const struct sealed_member *m = &c->s->members[i];
        const char *hex = strrchr(m->name, '/');
        struct digest digest;
        bool file = strncmp(m->name, SEALED_FILES, strlen(SEALED_FILES)) == 0;
        bool document = strncmp(m->name, SEALED_DOCUMENTS, strlen(SEALED_DOCUMENTS)) == 0;

        if (hex == NULL)
            continue;
        if (!document && (!sealed_hex(hex + 1, &digest) || !digest_equal(&digest, &m->sha256)))
            return sealed_wrong(c->fault, c->s->arena, "%s is named by what it is not", m->name);
        if (file ? json_object_get(c->files, m->name) == NULL : !has_version(c->s, hex + 1))
            return sealed_wrong(c->fault, c->s->arena, "%s belongs to no version", m->name);
    }
    return true;
}

bool sealed_contents(struct sealed *s, const struct note_key *keys, size_t key_count,
                     struct sealed_fault *fault)
{
    struct contents c = {.s = s,
                         .fault = fault,
                         .files = json_object(),
                         .nodes = json_object(),
                         .done = json_object()};
    bool good = check_checkpoint(&c, keys, key_count) && check_lineage(&c, keys, key_count) &&
                check_versions(&c) && check_members(&c);

    json_decref(c.files);
    json_decref(c.nodes);
    json_decref(c.done);
    return good;
}
