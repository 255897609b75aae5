/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth.h"

#include "auth/session.h"

#include <string.h>

/* What lists, counts, searches, exports and the graph may show: the evaluator asked once for each
 * scope, whose answers the one WHERE builder of auth.h turns into SQL. */

static struct texts room(struct arena *a, size_t most)
{
    return (struct texts){.items = arena_alloc(a, (most + 1) * sizeof(const char *))};
}

static void add(struct texts *t, const char *text)
{
    t->items[t->count++] = text;
}

void auth_readable(struct request *rq, enum action a, const char *kind, struct readable *out)
{
    const struct session *s = session_of(rq);

    *out = (struct readable){.all = false};
    if (s != NULL && s->project != POLICY_NONE)
        session_readable(s, rq->arena, a, s->project, kind, out);
}

enum err auth_readable_projects(struct request *rq, enum action a, struct texts *names)
{
    const struct session *s = session_of(rq);
    size_t count = s == NULL ? 0 : policy_projects(s->policy);

    *names = (struct texts){.items = arena_alloc(rq->arena, (count + 1) * sizeof(const char *))};
    for (uint32_t p = 0; p < count; p++) {
        const struct policy_project *project = policy_project(s->policy, p);

        if (project->active && session_may(s, a, SCOPE_AT_PROJECTS + p))
            names->items[names->count++] = project->name;
    }
    return OK;
}

static bool named(const struct texts *projects, const char *name)
{
    for (size_t i = 0; projects != NULL && i < projects->count; i++)
        if (strcmp(projects->items[i], name) == 0)
            return true;
    return projects == NULL;
}

/* The assets of a project that are not as it is. */
static void add_assets(struct request *rq, const struct session *s, enum action a, uint32_t project,
                       struct readable_things *out)
{
    const char *name = policy_project(s->policy, project)->name;
    struct readable r;

    session_readable(s, rq->arena, a, project, "", &r);
    if (r.all)
        add(&out->projects, name);
    for (size_t i = 0; i < r.only.count; i++)
        add(&out->only, arena_printf(rq->arena, "%s/%s", name, r.only.items[i]));
    for (size_t i = 0; i < r.except.count; i++)
        add(&out->except, arena_printf(rq->arena, "%s/%s", name, r.except.items[i]));
}

void auth_readable_things(struct request *rq, enum action a, const struct texts *projects,
                          struct readable_things *out)
{
    const struct session *s = session_of(rq);
    size_t most = s == NULL ? 0 : policy_scopes(s->policy);
    size_t count = s == NULL ? 0 : policy_projects(s->policy);

    *out = (struct readable_things){room(rq->arena, most), room(rq->arena, most),
                                    room(rq->arena, most)};
    for (uint32_t p = 0; p < count; p++)
        if (policy_project(s->policy, p)->active &&
            named(projects, policy_project(s->policy, p)->name))
            add_assets(rq, s, a, p, out);
}

void auth_readable_any_version(struct request *rq, enum action a, struct readable_things *out)
{
    struct session *s = session_of(rq);
    int64_t named = s == NULL ? 0 : s->circumstances.version;

    if (s != NULL)
        s->circumstances.version = ANY_VERSION;
    auth_readable_things(rq, a, NULL, out);
    if (s != NULL)
        s->circumstances.version = named;
}

static bool is_imported(const char *node)
{
    return strncmp(node, "imported:", sizeof("imported:") - 1) == 0;
}

/* What of a node's name comes after its project. A column is as its dataset; what was imported
 * ("imported:PROJECT:…:projects/X/…") is hidden like what has its name here. */
static const char *within(const char *project, const char *node)
{
    static const char column[] = "ol-column:chancery:", projects[] = "projects/";
    size_t length = strlen(project), skip = sizeof(projects) - 1;
    bool imported = is_imported(node);
    const char *next;

    if (strncmp(node, column, sizeof(column) - 1) == 0)
        node += sizeof(column) - 1;
    while (imported && (next = strstr(node, ":projects/")) != NULL)
        node = next + 1;
    if (strncmp(node, projects, skip) != 0)
        return NULL;
    node += skip;
    if (imported)
        length = strcspn(node, "/");
    else if (strncmp(node, project, length) != 0)
        return NULL;
    return node[length] == '/' ? node + length + 1 : NULL;
}

/* "projects/credit/models/risk/versions/3" to "models/risk", and so a column of it; NULL for what
 * has no scope of its own. */
static const char *asset_of(struct arena *a, const char *project, const char *node,
                            enum action *read)
{
    static const struct {
        const char *kind;
        enum action read;
    } kinds[] = {
#define ASSET_KIND(kind) {kind "s/", ASSET_READ},
#include "auth/kinds.def"
#undef ASSET_KIND
        {"endpoints/", ENDPOINT_READ},
    };
    const char *at = within(project, node);

    if (at == NULL)
        return NULL;
    *read = JOB_READ;
    if (strncmp(at, "jobs/", 5) == 0)
        return "jobs";
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t kind = strlen(kinds[i].kind);

        *read = kinds[i].read;
        if (strncmp(at, kinds[i].kind, kind) == 0)
            return arena_copy(a, at, kind + strcspn(at + kind, "/"));
    }
    return NULL;
}

/* Nothing of the project is hidden. */
static bool sees_whole(struct request *rq, const char *project)
{
    static const enum action reads[] = {ASSET_READ, ENDPOINT_READ, JOB_READ};
    const struct texts one = {&project, 1};
    struct readable_things r;

    for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
        if (*project == '\0')
            return true;
        auth_readable_things(rq, reads[i], &one, &r);
        if (!auth_may(rq, reads[i], project) || r.except.count > 0)
            return false;
    }
    return true;
}

/* An asset of another project that is shared with one of the caller's: as its owner's node. */
static bool sees_shared(struct request *rq, const struct auth_version *of, const char *node)
{
    const char *number = strstr(node, "/versions/");
    struct auth_version v = *of;
    uint64_t parsed = 0;

    if (number != NULL && uint_parse(number + 10, INT32_MAX, &parsed))
        v.number = (int64_t)parsed;
    return auth_may_version(rq, LINEAGE_READ, &v) && auth_may_version(rq, ASSET_READ, &v);
}

bool auth_sees_node(struct request *rq, const char *project, const char *node)
{
    const struct session *s = session_of(rq);
    const char *asset;
    enum action read;

    asset = node == NULL ? NULL : asset_of(rq->arena, project, node, &read);
    if (asset != NULL && read == ASSET_READ && !is_imported(node) &&
        sees_shared(rq, &(struct auth_version){project, asset, 0, NULL}, node))
        return true;
    if (!auth_may(rq, LINEAGE_READ, project))
        return false;
    if (node == NULL)
        return sees_whole(rq, project);
    return asset == NULL || session_may(s, read, session_asset_scope(s, project, asset));
}

/* Taken from somebody who may it above: of one who never might, a list has nothing to hide. */
static bool taken(const struct session *s, enum action a, uint32_t scope)
{
    return session_may(s, a, SCOPE_AT_TENANT) && !session_may(s, a, scope);
}

static const struct {
    const char *kind;
    enum action read;
} audited[] = {
#define ASSET_KIND(kind) {kind "s", ASSET_READ},
#include "auth/kinds.def"
#undef ASSET_KIND
    {"endpoints", ENDPOINT_READ},
    {"jobs", JOB_READ},
    {"approvals", APPROVAL_READ},
};

/* "credit/models" for a whole kind, "credit/models/risk" for one. */
static void hide_things(struct request *rq, const struct session *s, uint32_t scope,
                        struct texts *things)
{
    const struct policy_asset *asset = policy_asset(s->policy, scope);
    const char *project = policy_scope_project(s->policy, scope)->name;

    for (size_t i = 0; i < sizeof(audited) / sizeof(audited[0]); i++) {
        const char *kind = audited[i].kind;
        size_t length = strlen(kind);

        if (asset != NULL && strncmp(asset->name, kind, length) != 0)
            continue;
        if (taken(s, audited[i].read, scope) || (asset != NULL && taken(s, AUDIT_READ, scope)))
            add(things,
                arena_printf(rq->arena, "%s/%s", project, asset == NULL ? kind : asset->name));
    }
}

void auth_audit_hidden(struct request *rq, struct texts *projects, struct texts *things)
{
    const struct session *s = session_of(rq);
    size_t most = s == NULL ? 0 : policy_scopes(s->policy);

    *projects = room(rq->arena, most);
    *things = room(rq->arena, most * sizeof(audited) / sizeof(audited[0]));
    for (uint32_t scope = SCOPE_AT_PROJECTS; scope < most; scope++) {
        if (policy_asset(s->policy, scope) == NULL &&
            (taken(s, AUDIT_READ, scope) || taken(s, PROJECT_READ, scope)))
            add(projects, policy_scope_project(s->policy, scope)->name);
        hide_things(rq, s, scope, things);
    }
}
