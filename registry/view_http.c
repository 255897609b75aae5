/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/view.h"

#include "auth/auth.h"
#include "lineage/audit.h"
#include "registry/catalogue.h"
#include "registry/handlers.h"
#include "registry/reply.h"

#include <string.h>

struct view_body {
    const char *shared;
    const char *description;
    const char *q;
    const char *kind;
    const char *tag;
    const char *project;
};

static const char *const shares[] = {"private", "tenant", NULL};

const struct field view_body_fields[] = {
    OPT_CHOICE(struct view_body, shared, shares),
    OPT_TEXT(struct view_body, description, 2000),
    OPT_TEXT(struct view_body, q, 500),
    OPT_TEXT(struct view_body, kind, 20),
    OPT_TEXT(struct view_body, tag, 5300),
    OPT_NAME(struct view_body, project),
    FIELDS_END,
};

/* Routes of projects have the name second; others are about one's own views and the tenant's. */
static const char *name_of(const struct request *rq)
{
    return rq->route->scope == SCOPE_PROJECT ? rq->args[1] : rq->args[0];
}

static struct view_place place_of(struct request *rq, bool tenant)
{
    if (rq->route->scope == SCOPE_PROJECT)
        return (struct view_place){"project", auth_project_id(rq)};
    return tenant ? (struct view_place){"tenant", rq->caller.tenant_id}
                  : (struct view_place){"private", rq->caller.id};
}

/* One's own goes before the tenant's of that name. */
static enum err find(struct request *rq, struct view_place *place, struct view *out)
{
    enum err e;

    *place = place_of(rq, false);
    e = view_find(rq->db, place, name_of(rq), out);
    if (e != ERR_NOT_FOUND || rq->route->scope == SCOPE_PROJECT)
        return e;
    *place = place_of(rq, true);
    return view_find(rq->db, place, name_of(rq), out);
}

/* What all of the tenant see is for who makes its projects to say. */
static enum err may_change(struct request *rq, const struct view_place *place)
{
    if (strcmp(place->shared, "tenant") == 0 && !auth_may(rq, PROJECT_WRITE, NULL))
        return fail(rq, ERR_DENIED, "the tenant's views need %s in the tenant",
                    action_text(PROJECT_WRITE));
    return OK;
}

static enum err reply_view(struct request *rq, const struct view_place *place)
{
    struct view v;

    TRY(view_find(rq->db, place, name_of(rq), &v));
    return etag_reply(rq, view_fields, &v, v.revision);
}

static enum err list(struct request *rq, const char *tenant)
{
    const struct view_place place = place_of(rq, false);
    struct page page;
    struct rows rows;

    TRY(page_read(rq, &page));
    TRY(view_list(rq->db, &place, tenant, page.after, page.limit + 1, &rows));
    return page_reply(rq, &page, view_fields, sizeof(struct view), &rows,
                      offsetof(struct view, name));
}

/* GET /v1/views */
enum err get_views(struct request *rq)
{
    return list(rq, rq->caller.tenant_id);
}

/* GET /v1/projects/{project}/views */
enum err get_project_views(struct request *rq)
{
    return list(rq, NULL);
}

/* GET …/views/{view}: what it finds, of what the caller may read now. */
enum err get_view(struct request *rq)
{
    struct view_place place;
    struct view v;

    TRY(find(rq, &place, &v));
    return catalogue_reply(rq, &(struct catalogue_question){v.q, v.kind, v.tag, v.project});
}

static enum err check(struct request *rq, const struct view *v)
{
    struct catalogue_search s;

    if (!name_valid(v->name))
        return fail(rq, ERR_INVALID,
                    "a view's name is 1 to 63 of a-z 0-9 . _ - and begins with a "
                    "letter or digit");
    TRY(catalogue_read(rq, &(struct catalogue_question){v->q, v->kind, v->tag, v->project}, &s));
    if (v->project == NULL ||
        (auth_project_of(rq, v->project) != NULL && auth_may(rq, PROJECT_READ, v->project)))
        return OK;
    rq->target = "project";
    return fail(rq, ERR_INVALID, "project: there is no such project");
}

static enum err create(struct request *rq, const struct view_place *place, const struct view *v)
{
    enum err e;

    TRY(etag_check(rq, 0));
    e = view_insert(rq->db, place, v, rq->caller.id);
    if (e == ERR_TOO_LARGE)
        return fail(rq, ERR_CONFLICT, "there are %d views here, which is the limit; delete one",
                    VIEWS_MAX);
    TRY(e);
    request_status(rq, 201);
    return reply_view(rq, place);
}

/* PUT …/views/{view} */
enum err put_view(struct request *rq)
{
    struct view_body b = {.shared = NULL};
    struct view_place place;
    struct view was;
    struct view v;
    enum err e;

    TRY(request_read(rq, &b));
    if (b.shared != NULL && rq->route->scope == SCOPE_PROJECT) {
        rq->target = "shared";
        return fail(rq, ERR_INVALID, "shared: the views of a project are shared with it");
    }
    place = place_of(rq, b.shared != NULL && strcmp(b.shared, "tenant") == 0);
    v = (struct view){.name = name_of(rq),
                      .description = b.description,
                      .q = b.q,
                      .kind = b.kind,
                      .tag = b.tag,
                      .project = b.project};
    request_object(rq, "views/%s", v.name);
    TRY(may_change(rq, &place));
    TRY(check(rq, &v));
    e = view_lock(rq->db, &place, v.name, &was);
    if (e == ERR_NOT_FOUND)
        return create(rq, &place, &v);
    TRY(e);
    TRY(etag_check(rq, was.revision));
    audit_before(rq, view_fields, &was);
    TRY(view_update(rq->db, &place, &v));
    return reply_view(rq, &place);
}

/* DELETE …/views/{view} */
enum err delete_view(struct request *rq)
{
    struct view_place place;
    struct view v;

    request_object(rq, "views/%s", name_of(rq));
    TRY(find(rq, &place, &v));
    TRY(may_change(rq, &place));
    TRY(view_lock(rq->db, &place, v.name, &v));
    TRY(etag_check(rq, v.revision));
    audit_before(rq, view_fields, &v);
    TRY(view_delete(rq->db, &place, v.name));
    return request_reply_empty(rq);
}
