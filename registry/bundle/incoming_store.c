/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/bundle/incoming.h"

#include "auth/auth.h"
#include "lineage/graph/provenance.h"
#include "registry/asset.h"
#include "registry/reply.h"

#include <string.h>

struct found {
    const char *id;
    const char *state;
};

static const struct field found_fields[] = {
    TEXT(struct found, id, 36),
    TEXT(struct found, state, 10),
    FIELDS_END,
};

/* A ready one before one that is on its way. */
QUERY(incoming_find_sql,
      "SELECT v.id, v.state FROM version v"
      " JOIN asset a ON a.tenant_id = v.tenant_id AND a.id = v.asset_id"
      " LEFT JOIN version_origin o ON o.tenant_id = v.tenant_id AND o.version_id = v.id"
      " WHERE v.tenant_id = current_tenant() AND a.project_id = $1::uuid AND a.kind = $2"
      "   AND a.name = $3 AND a.state = 'active' AND (v.state = 'ready' AND v.digest = $4::bytea"
      "    OR v.state = 'pending' AND o.digest = $4::bytea)"
      " ORDER BY v.state = 'ready' DESC, v.number LIMIT 1");

/* The files of the manifest that the version does not have; false when it has another. */
static bool missing_files(struct incoming *in)
{
    const json_t *wanted = json_object_get(json_object_get(in->facts, "manifest"), "files"), *file;
    const struct version_file *has = in->files.items;
    size_t at = 0, i;

    json_array_foreach(wanted, i, file)
    {
        if (at < in->files.count && strcmp(has[at].path, sealed_text(file, "path")) == 0 &&
            strcmp(has[at].sha256, sealed_text(file, "sha256")) == 0)
            at++;
        else
            json_array_append(in->missing, (json_t *)file);
    }
    return at == in->files.count;
}

enum err incoming_find(struct request *rq, struct incoming *in)
{
    struct digest digest;
    struct found found;
    enum err e;

    in->missing = json_array();
    arena_own(rq->arena, in->missing, json_release);
    if (!sealed_hex(in->digest, &digest))
        return ERR_INTERNAL;
    e = db_one(rq->db, &incoming_find_sql, found_fields, &found,
               PARAMS(P_TEXT(auth_project_id(rq)), P_TEXT(in->kind), P_TEXT(in->name),
                      P_BYTES(digest.bytes, SHA256_SIZE)));
    in->state = INCOMING_NEW;
    if (e == ERR_NOT_FOUND)
        return OK;
    TRY(e);
    TRY(version_by_id(rq->db, found.id, &in->version));
    in->state = strcmp(in->version.state, "ready") == 0 ? INCOMING_READY : INCOMING_PENDING;
    if (in->state == INCOMING_READY)
        return OK;
    TRY(version_files(rq->db, found.id, &in->files));
    if (missing_files(in))
        return OK;
    return fail(rq, ERR_CONFLICT,
                "%s has a file that the bundle does not have; delete that version",
                version_path(rq->arena, &in->version));
}

static enum err ensure_asset(struct request *rq, const struct incoming *in)
{
    struct asset a;
    enum err e = asset_lock(rq->db, auth_project_id(rq), in->kind, in->name, &a);

    if (e == ERR_NOT_FOUND) {
        a = (struct asset){.kind = in->kind, .name = in->name, .description = ""};
        return asset_create(rq->db, auth_project_id(rq), &a, rq->caller.id);
    }
    TRY(e);
    if (strcmp(a.state, "active") != 0)
        return fail(rq, ERR_CONFLICT, "%s is deleted; restore it first",
                    asset_path(rq->arena, in->kind, in->name));
    return OK;
}

QUERY(incoming_put_sql,
      "INSERT INTO version_origin (tenant_id, version_id, digest, bundle, origin, signer, node,"
      " facts, imported_by) VALUES (current_tenant(), $1::uuid, $2::bytea, $3::bytea, $4, $5, $6,"
      " $7::json, $8::uuid)");

static enum err put_origin(struct request *rq, const struct incoming *in)
{
    json_t *facts = json_copy((json_t *)in->facts);
    const struct sealed *b = in->bundle;
    struct digest digest;

    arena_own(rq->arena, facts, json_release);
    (void)json_object_del(facts, "manifest");
    if (!sealed_hex(in->digest, &digest))
        return ERR_INTERNAL;
    return db_change(rq->db, &incoming_put_sql,
                     PARAMS(P_TEXT(in->version.id), P_BYTES(digest.bytes, SHA256_SIZE),
                            P_BYTES(b->id.bytes, SHA256_SIZE), P_TEXT(b->origin), P_TEXT(b->signer),
                            P_TEXT(sealed_text(in->facts, "node")), P_JSON(facts),
                            P_TEXT(rq->caller.id)));
}

enum err incoming_begin(struct request *rq, struct incoming *in)
{
    const char *description = sealed_text(in->facts, "description");
    const struct version_draft draft = {.project_id = auth_project_id(rq),
                                        .kind = in->kind,
                                        .asset = in->name,
                                        .description = description,
                                        .tags = json_object_get(in->facts, "tags"),
                                        .author_id = rq->caller.id};

    TRY(ensure_asset(rq, in));
    TRY(incoming_find(rq, in)); /* another import may have been faster */
    if (in->state != INCOMING_NEW)
        return OK;
    TRY(version_create(rq->db, &draft, &in->version));
    TRY(put_origin(rq, in));
    in->state = INCOMING_PENDING;
    in->files.count = 0;
    return missing_files(in) ? OK : ERR_INTERNAL;
}

enum err incoming_seal(struct request *rq, struct incoming *in)
{
    const struct version_key key = {
        .kind = in->kind, .asset = in->name, .number = in->version.number};

    TRY(version_lock(rq->db, auth_project_id(rq), &key, &in->version));
    TRY(incoming_find(rq, in));
    if (in->state == INCOMING_READY)
        return OK;
    if (in->state != INCOMING_PENDING || json_array_size(in->missing) > 0)
        return fail(rq, ERR_CONFLICT, "the files of %s changed meanwhile; try again",
                    version_path(rq->arena, &in->version));
    TRY(version_touch(rq->db, &in->version, rq->caller.id));
    TRY(version_seal(rq->db, &in->version, json_object_get(in->facts, "manifest")));
    in->state = INCOMING_READY;
    if (strcmp(in->version.digest, in->digest) != 0)
        return fail(rq, ERR_CONTENT, "%s would have the digest %s here",
                    sealed_text(in->facts, "node"), in->version.digest);
    return incoming_link(rq, in);
}

/* What the graph calls a node of the origin. */
static const char *prefix_of(struct request *rq, const struct sealed *b)
{
    return arena_printf(rq->arena, "imported:%s:%s:", rq->project, b->origin);
}

/* One member of each of a list of objects. */
static const char **column(struct request *rq, const json_t *list, const char *member)
{
    const char **out = arena_alloc(rq->arena, (json_array_size(list) + 1) * sizeof(*out));

    for (size_t i = 0; i < json_array_size(list); i++)
        out[i] = sealed_text(json_array_get(list, i), member);
    return out;
}

QUERY(incoming_nodes_put, "INSERT INTO lineage_node (tenant_id, kind, name, project, digest)"
                          " SELECT current_tenant(), 'imported-' || x.kind, $1 || x.name, $2,"
                          "  decode(nullif(x.digest, ''), 'hex')"
                          " FROM unnest($3::text[], $4::text[], $5::text[]) x (name, kind, digest)"
                          " ON CONFLICT (tenant_id, name) DO NOTHING");
QUERY(incoming_edges_put,
      "INSERT INTO lineage_edge (tenant_id, src, dst, kind, at, request_id)"
      " SELECT current_tenant(), s.id, d.id, x.kind, x.at::timestamptz, $2::uuid"
      " FROM unnest($3::text[], $4::text[], $5::text[], $6::text[]) x (src, dst, kind, at)"
      " JOIN lineage_node s ON s.tenant_id = current_tenant() AND s.name = $1 || x.src"
      " JOIN lineage_node d ON d.tenant_id = current_tenant() AND d.name = $1 || x.dst"
      " ON CONFLICT (tenant_id, src, dst, kind) DO NOTHING");

enum err incoming_history(struct request *rq, const struct sealed *bundle)
{
    const json_t *nodes = json_object_get(bundle->lineage, "nodes");
    const json_t *edges = json_object_get(bundle->lineage, "edges");
    size_t count = json_array_size(nodes), links = json_array_size(edges);
    const char *prefix = prefix_of(rq, bundle);

    TRY(db_defer_any(rq->db, &incoming_nodes_put,
                     PARAMS(P_TEXT(prefix), P_TEXT(rq->project),
                            P_TEXTS(column(rq, nodes, "name"), count),
                            P_TEXTS(column(rq, nodes, "kind"), count),
                            P_TEXTS(column(rq, nodes, "digest"), count))));
    return db_defer_any(
        rq->db, &incoming_edges_put,
        PARAMS(P_TEXT(prefix), P_TEXT(rq->id), P_TEXTS(column(rq, edges, "src"), links),
               P_TEXTS(column(rq, edges, "dst"), links), P_TEXTS(column(rq, edges, "kind"), links),
               P_TEXTS(column(rq, edges, "at"), links)));
}

enum err incoming_link(struct request *rq, const struct incoming *in)
{
    const char *from =
        arena_printf(rq->arena, "%s%s", prefix_of(rq, in->bundle), sealed_text(in->facts, "node"));

    return provenance_edge(rq->db, from, version_node(rq->arena, &in->version), "import", rq->id);
}
