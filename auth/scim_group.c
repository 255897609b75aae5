/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/scim.h"

#include "auth/access/authority.h"
#include "auth/access/group.h"
#include "auth/handlers.h"

#include <stdlib.h>
#include <string.h>

struct scim_group {
    const char *id;
    const char *name;
    const char *display_name;
    const char *external_id;
    json_t *members; /* [{"value":…,"display":…,"type":…}] */
    int64_t version;
    const char *created_at;
    const char *updated_at;
};

static const struct field group_columns[] = {
    TEXT(struct scim_group, id, 36),
    NAME(struct scim_group, name),
    TEXT(struct scim_group, display_name, 200),
    TEXT(struct scim_group, external_id, 255),
    JSON(struct scim_group, members),
    INT(struct scim_group, version, 1, INT64_MAX),
    TIME(struct scim_group, created_at),
    TIME(struct scim_group, updated_at),
    FIELDS_END,
};

#define GROUP_FROM                                                                                 \
    " FROM scim_group s JOIN principal_group g ON g.tenant_id = s.tenant_id AND g.id = s.group_id" \
    " WHERE s.tenant_id = current_tenant()"
#define GROUP_SELECT                                                                               \
    "SELECT g.id, g.name, coalesce(g.display_name, g.name) AS display_name, g.external_id,"        \
    " s.version, g.created_at, s.updated_at,"                                                      \
    " coalesce((SELECT jsonb_agg(jsonb_build_object('value', coalesce(m.principal_id, "            \
    "m.child_id),"                                                                                 \
    "   'display', coalesce(p.display_name, p.name, c.display_name, c.name), 'type',"              \
    "   CASE WHEN m.child_id IS NULL THEN 'User' ELSE 'Group' END)"                                \
    "   ORDER BY m.created_at, m.id) FROM group_member m"                                          \
    "   LEFT JOIN principal p ON p.tenant_id = m.tenant_id AND p.id = m.principal_id"              \
    "   LEFT JOIN principal_group c ON c.tenant_id = m.tenant_id AND c.id = m.child_id"            \
    "   WHERE m.tenant_id = s.tenant_id AND m.group_id = s.group_id AND m.source = 'scim'),"       \
    " '[]') AS members" GROUP_FROM
#define GROUP_WHERE                                                                                \
    " AND ($1::uuid IS NULL OR g.id = $1::uuid)"                                                   \
    " AND ($2::text IS NULL OR lower(g.display_name) = lower($2))"                                 \
    " AND ($3::text IS NULL OR g.external_id = $3)"                                                \
    " AND ($4::uuid IS NULL OR EXISTS (SELECT FROM group_member m"                                 \
    "   WHERE m.tenant_id = s.tenant_id AND m.group_id = g.id AND m.source = 'scim'"               \
    "     AND coalesce(m.principal_id, m.child_id) = $4::uuid))"

QUERY(scim_group_find_sql, GROUP_SELECT " AND g.id = $1::uuid");
QUERY(scim_group_list_sql,
      GROUP_SELECT GROUP_WHERE " ORDER BY g.created_at, g.id OFFSET $5::bigint LIMIT $6::bigint");
QUERY(scim_group_count_sql, "SELECT count(*)" GROUP_FROM GROUP_WHERE);
QUERY(scim_group_insert_sql,
      "INSERT INTO principal_group (tenant_id, id, name, display_name, external_id, source,"
      " created_by) VALUES (current_tenant(), $1::uuid, $2, $3, $4, 'scim', $5::uuid)");
QUERY(scim_group_mark_sql,
      "INSERT INTO scim_group (tenant_id, group_id) VALUES (current_tenant(), $1::uuid)");
QUERY(scim_group_update_sql, "UPDATE principal_group SET display_name = $2, external_id = $3"
                             " WHERE tenant_id = current_tenant() AND id = $1::uuid");
QUERY(scim_group_touch_sql, "UPDATE scim_group SET version = version + 1, updated_at = now()"
                            " WHERE tenant_id = current_tenant() AND group_id = $1::uuid");
QUERY(scim_group_delete_sql,
      "DELETE FROM principal_group WHERE tenant_id = current_tenant() AND id = $1::uuid");
QUERY(scim_leave_sql,
      "DELETE FROM group_member WHERE tenant_id = current_tenant() AND group_id = $1::uuid"
      " AND source = 'scim' AND NOT coalesce(principal_id, child_id)::text = ANY ($2::text[])");
QUERY(scim_known_sql,
      "SELECT (SELECT count(*) FROM scim_user WHERE tenant_id = current_tenant() AND NOT deleted"
      "  AND principal_id::text = ANY ($1::text[])) + (SELECT count(*) FROM scim_group"
      "  WHERE tenant_id = current_tenant() AND group_id::text = ANY ($1::text[])) AS count");
QUERY(scim_join_sql,
      "INSERT INTO group_member (tenant_id, id, group_id, principal_id, child_id, source,"
      " created_by)"
      " SELECT current_tenant(), gen_random_uuid(), $1::uuid, u.principal_id, u.child_id, 'scim',"
      " $3::uuid FROM (SELECT principal_id, NULL::uuid AS child_id FROM scim_user"
      "   WHERE tenant_id = current_tenant() AND NOT deleted"
      "     AND principal_id::text = ANY ($2::text[])"
      "   UNION ALL SELECT NULL, group_id FROM scim_group WHERE tenant_id = current_tenant()"
      "     AND group_id::text = ANY ($2::text[])) u"
      " WHERE NOT EXISTS (SELECT FROM group_member m WHERE m.tenant_id = current_tenant()"
      "   AND m.group_id = $1::uuid AND m.source = 'scim'"
      "   AND coalesce(m.principal_id, m.child_id) = coalesce(u.principal_id, u.child_id))");

static enum err find(struct request *rq, const char *id, struct scim_group *out)
{
    if (!id_valid(id))
        return ERR_NOT_FOUND;
    return db_one(rq->db, &scim_group_find_sql, group_columns, out, PARAMS(P_TEXT(id)));
}

static json_t *shown(struct request *rq, const struct scim_group *g, struct scim_meta *m)
{
    const char *without = request_query(rq, "excludedAttributes");
    json_t *json = json_pack("{s:[s],s:s}", "schemas", SCIM_GROUP, "displayName", g->display_name);

    *m = (struct scim_meta){.type = "Group",
                            .id = g->id,
                            .version = g->version,
                            .created_at = g->created_at,
                            .updated_at = g->updated_at};
    if (g->external_id != NULL)
        json_object_set_new(json, "externalId", json_string(g->external_id));
    if (without == NULL || strstr(without, "members") == NULL)
        json_object_set(json, "members", g->members);
    return json;
}

static enum err reply(struct request *rq, const char *id)
{
    struct scim_group g;
    struct scim_meta m;
    json_t *json;

    TRY(find(rq, id, &g));
    request_object(rq, "groups/%s", g.name);
    json = shown(rq, &g, &m);
    return scim_reply_resource(rq, &m, json);
}

static const char *text_of(const json_t *json, const char *name, size_t longest)
{
    const json_t *value = json_object_get(json, name);
    const char *text = json_string_value(value);

    return text != NULL && *text != '\0' && strlen(text) == json_string_length(value) &&
                   strlen(text) <= longest
               ? text
               : NULL;
}

/* The ids of the members, each once; an id more than once is no fault. */
static enum err read_members(struct request *rq, const json_t *doc, struct texts *out)
{
    const json_t *members = json_object_get(doc, "members");
    const json_t *one;
    size_t i;

    if (json_array_size(members) > SCIM_MEMBERS_MAX)
        return scim_fail(rq, "tooMany", "a group has at most %d members", SCIM_MEMBERS_MAX);
    out->items = arena_alloc(rq->arena, (json_array_size(members) + 1) * sizeof(*out->items));
    out->count = 0;
    json_array_foreach(members, i, one)
    {
        const char *id = text_of(one, "value", 36);

        if (id == NULL || !id_valid(id))
            return scim_fail(rq, "invalidValue",
                             "members: value must be the id of a user or group");
        out->items[out->count++] = id;
    }
    return OK;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void once_each(struct texts *ids)
{
    size_t n = 0;

    if (ids->count > 1)
        qsort(ids->items, ids->count, sizeof(*ids->items), by_text);
    for (size_t i = 0; i < ids->count; i++)
        if (n == 0 || strcmp(ids->items[n - 1], ids->items[i]) != 0)
            ids->items[n++] = ids->items[i];
    ids->count = n;
}

/* Only what the directory made itself can be in its groups. */
static enum err set_members(struct request *rq, const char *id, const json_t *doc)
{
    struct texts ids;
    PGresult *known;
    enum err e;

    TRY(read_members(rq, doc, &ids));
    once_each(&ids);
    TRY(db_rows(rq->db, &scim_known_sql, &known, PARAMS(P_TEXTS(ids.items, ids.count))));
    if (strtoull(PQgetvalue(known, 0, 0), NULL, 10) != ids.count)
        return scim_fail(rq, "invalidValue", "members: there is no such user or group");
    TRY(db_run(rq->db, &scim_leave_sql, NULL, PARAMS(P_TEXT(id), P_TEXTS(ids.items, ids.count))));
    e = db_run(rq->db, &scim_join_sql, NULL,
               PARAMS(P_TEXT(id), P_TEXTS(ids.items, ids.count), P_TEXT(rq->caller.id)));
    if (e == ERR_INVALID)
        return scim_fail(rq, "invalidValue", "groups nest at most five deep and never in a circle");
    TRY(e);
    TRY(authority_result(rq));
    return authority_someone_administers(rq);
}

static enum err read_display(struct request *rq, const json_t *doc, const char **out)
{
    *out = text_of(doc, "displayName", 200);
    if (*out == NULL)
        return scim_fail(rq, "invalidValue", "displayName must be a text of 1 to 200 bytes");
    return OK;
}

/* POST /scim/v2/Groups. It can do nothing until an admin gives it a role. */
enum err post_scim_group(struct request *rq)
{
    char id[ID_SIZE];
    const char *display;
    json_t *doc;

    TRY(scim_body(rq, &doc));
    TRY(read_display(rq, doc, &display));
    TRY(authority_fence(rq));
    id_new(id);
    TRY(db_change(rq->db, &scim_group_insert_sql,
                  PARAMS(P_TEXT(id), P_TEXT(scim_name(rq->arena, display, id)), P_TEXT(display),
                         P_TEXT(text_of(doc, "externalId", 255)), P_TEXT(rq->caller.id))));
    TRY(db_change(rq->db, &scim_group_mark_sql, PARAMS(P_TEXT(id))));
    TRY(set_members(rq, id, doc));
    request_status(rq, 201);
    return reply(rq, id);
}

/* GET /scim/v2/Groups/{id} */
enum err get_scim_group(struct request *rq)
{
    return reply(rq, rq->args[0]);
}

/* GET /scim/v2/Groups */
enum err get_scim_groups(struct request *rq)
{
    struct scim_search s;
    struct rows rows;
    PGresult *count;
    json_t *list;

    TRY(scim_search(rq, &s));
    TRY(db_rows(
        rq->db, &scim_group_count_sql, &count,
        PARAMS(P_TEXT(s.id), P_TEXT(s.display_name), P_TEXT(s.external_id), P_TEXT(s.member))));
    TRY(db_list(rq->db, &scim_group_list_sql, group_columns, sizeof(struct scim_group), &rows,
                PARAMS(P_TEXT(s.id), P_TEXT(s.display_name), P_TEXT(s.external_id),
                       P_TEXT(s.member), P_INT(s.start - 1), P_INT(s.count))));
    list = json_array();
    for (size_t i = 0; i < rows.count; i++) {
        struct scim_meta m;
        json_t *json = shown(rq, (const struct scim_group *)rows.items + i, &m);

        json_array_append_new(list, scim_resource(rq, &m, json));
    }
    return scim_reply_list(rq, &s, strtoll(PQgetvalue(count, 0, 0), NULL, 10), list);
}

static enum err begin(struct request *rq, struct scim_group *g)
{
    TRY(authority_fence(rq));
    TRY(find(rq, rq->args[0], g));
    request_object(rq, "groups/%s", g->name);
    return scim_match(rq, g->version);
}

static enum err save(struct request *rq, const struct scim_group *g, const json_t *doc)
{
    const char *display;

    TRY(read_display(rq, doc, &display));
    TRY(db_change(rq->db, &scim_group_update_sql,
                  PARAMS(P_TEXT(g->id), P_TEXT(display), P_TEXT(text_of(doc, "externalId", 255)))));
    TRY(db_change(rq->db, &scim_group_touch_sql, PARAMS(P_TEXT(g->id))));
    TRY(set_members(rq, g->id, doc));
    return reply(rq, g->id);
}

/* PUT /scim/v2/Groups/{id} */
enum err put_scim_group(struct request *rq)
{
    struct scim_group g;
    json_t *doc;

    TRY(scim_body(rq, &doc));
    TRY(begin(rq, &g));
    return save(rq, &g, doc);
}

static void release_json(void *json)
{
    json_decref(json);
}

/* PATCH /scim/v2/Groups/{id} */
enum err patch_scim_group(struct request *rq)
{
    struct scim_group g;
    struct scim_meta m;
    json_t *body;
    json_t *doc;

    TRY(scim_body(rq, &body));
    TRY(begin(rq, &g));
    doc = shown(rq, &g, &m);
    arena_own(rq->arena, doc, release_json);
    json_object_set_new(doc, "members", json_deep_copy(g.members));
    TRY(scim_patch(rq, body, doc));
    return save(rq, &g, doc);
}

/* DELETE /scim/v2/Groups/{id}; refused while roles are given to it. */
enum err delete_scim_group(struct request *rq)
{
    struct scim_group g;
    bool given;
    enum err e;

    TRY(begin(rq, &g));
    TRY(group_given(rq->db, g.id, &given));
    if (given)
        return fail(rq, ERR_CONFLICT,
                    "roles are given to this group, or a deny rests on it; take them back first");
    e = db_change(rq->db, &scim_group_delete_sql, PARAMS(P_TEXT(g.id)));
    if (e == ERR_CONFLICT || e == ERR_INVALID)
        return fail(rq, ERR_CONFLICT, "roles are given to this group; take them back first");
    TRY(e);
    return request_reply_empty(rq);
}
