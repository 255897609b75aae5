/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/handlers.h"

#include "auth/auth.h"
#include "compute/endpoint.h"
#include "lineage/audit.h"
#include "lineage/graph/provenance.h"
#include "registry/asset.h"
#include "registry/reply.h"
#include "registry/version.h"

#include <string.h>

struct endpoint_put {
    const char *description;
};

const struct field endpoint_put_fields[] = {
    OPT_TEXT(struct endpoint_put, description, 2000),
    FIELDS_END,
};

struct deployment_post {
    const char *version;
};

const struct field deployment_post_fields[] = {
    TEXT(struct deployment_post, version, 200),
    FIELDS_END,
};

static enum err load(struct request *rq, struct endpoint *e)
{
    request_object(rq, "endpoints/%s", rq->args[1]);
    return endpoint_find(rq->db, auth_project_id(rq), rq->args[1], e);
}

/* GET /v1/projects/{project}/endpoints */
enum err get_endpoints(struct request *rq)
{
    struct readable readable;
    struct page page;
    struct rows rows;

    TRY(page_read(rq, &page));
    auth_readable(rq, ENDPOINT_READ, "endpoints/", &readable);
    TRY(endpoint_list(rq->db, auth_project_id(rq), &readable, page.after, page.limit + 1, &rows));
    return page_reply(rq, &page, endpoint_fields, sizeof(struct endpoint), &rows,
                      offsetof(struct endpoint, name));
}

/* GET /v1/projects/{project}/endpoints/{endpoint} */
enum err get_endpoint(struct request *rq)
{
    struct endpoint e;

    TRY(load(rq, &e));
    return etag_reply(rq, endpoint_fields, &e, e.revision);
}

static enum err create(struct request *rq, const struct endpoint_put *put)
{
    char id[ID_SIZE];

    TRY(etag_check(rq, 0));
    if (!name_valid(rq->args[1]))
        return fail(rq, ERR_INVALID, "endpoint must be 1 to 63 of a-z 0-9 . _ -");
    id_new(id);
    request_status(rq, 201);
    return endpoint_create(rq->db, id, auth_project_id(rq), rq->args[1],
                           put->description == NULL ? "" : put->description, rq->caller.id);
}

/* PUT /v1/projects/{project}/endpoints/{endpoint} */
enum err put_endpoint(struct request *rq)
{
    struct endpoint_put put = {.description = NULL};
    struct endpoint e;
    enum err found;

    TRY(request_read(rq, &put));
    request_object(rq, "endpoints/%s", rq->args[1]);
    found = endpoint_lock(rq->db, auth_project_id(rq), rq->args[1], &e);
    if (found == ERR_NOT_FOUND) {
        TRY(create(rq, &put));
    } else {
        TRY(found);
        TRY(etag_check(rq, e.revision));
        audit_before(rq, endpoint_fields, &e);
        TRY(endpoint_describe(rq->db, e.id, put.description == NULL ? "" : put.description));
    }
    TRY(load(rq, &e));
    return etag_reply(rq, endpoint_fields, &e, e.revision);
}

/* DELETE /v1/projects/{project}/endpoints/{endpoint} */
enum err delete_endpoint(struct request *rq)
{
    struct endpoint e;

    request_object(rq, "endpoints/%s", rq->args[1]);
    TRY(endpoint_lock(rq->db, auth_project_id(rq), rq->args[1], &e));
    TRY(etag_check(rq, e.revision));
    audit_before(rq, endpoint_fields, &e);
    TRY(deployment_end(rq->db, e.id));
    TRY(endpoint_delete(rq->db, e.id));
    return request_reply_empty(rq);
}

static enum err trace(struct request *rq, const char *name, const struct version *v,
                      const char *approval)
{
    const char *p = rq->args[0];
    struct arena *a = rq->arena;

    TRY(provenance_node(rq->db, "deployment", name, p, NULL));
    TRY(provenance_edge(rq->db, arena_printf(a, "projects/%s/%s", p, version_path(a, v)), name,
                        "deploy", rq->id));
    return provenance_edge(rq->db, arena_printf(a, "projects/%s/approvals/%s", p, approval), name,
                           "deploy", rq->id);
}

/* POST /v1/projects/{project}/endpoints/{endpoint}/deployments */
enum err post_deployment(struct request *rq)
{
    struct deployment_post post;
    struct deployment d;
    struct endpoint e;
    struct version v;
    const char *approval;
    char id[ID_SIZE];

    TRY(request_read(rq, &post));
    request_object(rq, "endpoints/%s", rq->args[1]);
    TRY(endpoint_lock(rq->db, auth_project_id(rq), rq->args[1], &e));
    TRY(version_find(rq->db, auth_project_id(rq), post.version, &v));
    if (!auth_may_asset(rq, ASSET_READ, asset_path(rq->arena, v.kind, v.asset)))
        return ERR_NOT_FOUND;
    if (strcmp(v.kind, "model") != 0)
        return fail(rq, ERR_INVALID, "version must name a version of a model");
    if (approval_in_force(rq->db, v.id, &approval) != OK)
        return fail(rq, ERR_UNAPPROVED, "%s has no approval in force; ask for its promotion first",
                    post.version);
    id_new(id);
    request_audit(rq, "version", json_string(post.version));
    request_audit(rq, "approval", json_string(approval));
    TRY(deployment_end(rq->db, e.id));
    TRY(deployment_insert(rq->db, id, e.id, v.id, approval, rq->caller.id));
    TRY(trace(
        rq,
        arena_printf(rq->arena, "projects/%s/endpoints/%s/deployments/%s", rq->args[0], e.name, id),
        &v, approval));
    TRY(deployment_find(rq->db, id, &d));
    request_status(rq, 201);
    return request_reply(rq, deployment_fields, &d);
}

/* GET /v1/projects/{project}/endpoints/{endpoint}/deployments */
enum err get_deployments(struct request *rq)
{
    struct endpoint e;
    struct page page;
    struct rows rows;

    TRY(page_read(rq, &page));
    TRY(load(rq, &e));
    TRY(deployment_list(rq->db, e.id, page.after, page.limit + 1, &rows));
    return page_reply(rq, &page, deployment_fields, sizeof(struct deployment), &rows,
                      offsetof(struct deployment, id));
}

/* DELETE /v1/projects/{project}/endpoints/{endpoint}/deployment */
enum err delete_deployment(struct request *rq)
{
    struct endpoint e;

    request_object(rq, "endpoints/%s", rq->args[1]);
    TRY(endpoint_lock(rq->db, auth_project_id(rq), rq->args[1], &e));
    audit_before(rq, endpoint_fields, &e);
    TRY(deployment_end(rq->db, e.id));
    TRY(endpoint_lock(rq->db, auth_project_id(rq), rq->args[1], &e));
    audit_after_as(rq, endpoint_fields, &e);
    return request_reply_empty(rq);
}
