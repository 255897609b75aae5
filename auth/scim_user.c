/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/scim.h"

#include "auth/access/authority.h"
#include "auth/handlers.h"

#include <stdlib.h>
#include <string.h>

struct scim_user {
    const char *id;
    const char *name; /* the principal's */
    const char *user_name;
    json_t *doc; /* what the directory said */
    int64_t version;
    bool active;
    const char *created_at;
    const char *updated_at;
};

static const struct field user_columns[] = {
    TEXT(struct scim_user, id, 36),
    NAME(struct scim_user, name),
    TEXT(struct scim_user, user_name, 255),
    OBJECT(struct scim_user, doc),
    INT(struct scim_user, version, 1, INT64_MAX),
    BOOL(struct scim_user, active),
    TIME(struct scim_user, created_at),
    TIME(struct scim_user, updated_at),
    FIELDS_END,
};

/* What of a document is kept in columns. */
struct parts {
    const char *user_name;
    const char *external_id;
    const char *display_name;
    const char *email;
    bool active;
};

static const char *text_of(const json_t *json, const char *name)
{
    const json_t *value = json_object_get(json, name);
    const char *text = json_string_value(value);

    return text != NULL && *text != '\0' && strlen(text) == json_string_length(value) ? text : NULL;
}

static const char *email_of(const json_t *doc)
{
    const json_t *emails = json_object_get(doc, "emails");
    const json_t *one;
    const char *first = NULL;
    size_t i;

    json_array_foreach(emails, i, one)
    {
        const char *text = text_of(one, "value");

        if (first == NULL || (text != NULL && json_is_true(json_object_get(one, "primary"))))
            first = text;
    }
    return first;
}

static const char *display_of(struct arena *a, const json_t *doc)
{
    const json_t *name = json_object_get(doc, "name");
    const char *given = text_of(name, "givenName");
    const char *family = text_of(name, "familyName");

    if (text_of(doc, "displayName") != NULL)
        return text_of(doc, "displayName");
    if (text_of(name, "formatted") != NULL)
        return text_of(name, "formatted");
    if (given == NULL || family == NULL)
        return given == NULL ? family : given;
    return arena_printf(a, "%s %s", given, family);
}

/* Entra says "True" and "False", as texts. */
static enum err read_active(struct request *rq, json_t *doc, bool *out)
{
    const json_t *active = json_object_get(doc, "active");
    const char *text = json_string_value(active);

    *out =
        active == NULL || json_is_true(active) || (text != NULL && strcasecmp(text, "true") == 0);
    if (active != NULL && !json_is_boolean(active) && !*out &&
        (text == NULL || strcasecmp(text, "false") != 0))
        return scim_fail(rq, "invalidValue", "active must be true or false");
    json_object_set_new(doc, "active", json_boolean(*out));
    return OK;
}

/* Attribute names know no case; what we are to say ourselves is not taken. */
static enum err understand(struct request *rq, json_t *doc, struct parts *p)
{
    static const char *const ours[] = {"id", "meta", "groups", "password", "schemas", "roles"};

    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        json_object_del(doc, ours[i]);
    TRY(read_active(rq, doc, &p->active));
    p->user_name = text_of(doc, "userName");
    p->external_id = text_of(doc, "externalId");
    p->display_name = display_of(rq->arena, doc);
    p->email = email_of(doc);
    if (p->user_name == NULL || strlen(p->user_name) > 255)
        return scim_fail(rq, "invalidValue", "userName must be a text of 1 to 255 bytes");
    if ((p->external_id != NULL && strlen(p->external_id) > 255) ||
        (p->display_name != NULL && strlen(p->display_name) > 200) ||
        (p->email != NULL && strlen(p->email) > 254))
        return scim_fail(rq, "invalidValue", "externalId, displayName or an email is too long");
    return OK;
}

#define USER_FROM                                                                                  \
    " FROM scim_user s JOIN principal p ON p.tenant_id = s.tenant_id AND p.id = s.principal_id"    \
    " WHERE s.tenant_id = current_tenant() AND NOT s.deleted"
#define USER_SELECT                                                                                \
    "SELECT p.id, p.name, s.user_name, s.doc, s.version, p.state = 'active' AS active,"            \
    " s.created_at, s.updated_at" USER_FROM
#define USER_WHERE                                                                                 \
    " AND ($1::uuid IS NULL OR p.id = $1::uuid)"                                                   \
    " AND ($2::text IS NULL OR lower(s.user_name) = lower($2))"                                    \
    " AND ($3::text IS NULL OR s.external_id = $3)"                                                \
    " AND ($4::text IS NULL OR p.display_name = $4)"                                               \
    " AND ($5::text IS NULL OR lower(p.email) = lower($5))"                                        \
    " AND ($6::text IS NULL OR (p.state = 'active')::text = $6)"

QUERY(scim_user_find_sql, USER_SELECT " AND p.id = $1::uuid");
QUERY(scim_user_list_sql,
      USER_SELECT USER_WHERE " ORDER BY s.created_at, p.id OFFSET $7::bigint LIMIT $8::bigint");
QUERY(scim_user_count_sql, "SELECT count(*)" USER_FROM USER_WHERE);
QUERY(scim_principal_sql,
      "INSERT INTO principal (tenant_id, id, name, kind, display_name, email, state, created_by)"
      " VALUES (current_tenant(), $1::uuid, $2, 'user', $3, $4, $5, $6::uuid)");
QUERY(scim_user_insert_sql,
      "INSERT INTO scim_user (tenant_id, principal_id, user_name, external_id, doc)"
      " VALUES (current_tenant(), $1::uuid, $2, $3, $4)");
QUERY(scim_user_update_sql,
      "UPDATE scim_user SET user_name = $2, external_id = $3, doc = $4, version = version + 1,"
      " updated_at = now() WHERE tenant_id = current_tenant() AND principal_id = $1::uuid");
QUERY(scim_user_shown_sql, "UPDATE principal SET display_name = $2, email = $3"
                           " WHERE tenant_id = current_tenant() AND id = $1::uuid");
QUERY(scim_user_wake_sql, "UPDATE principal SET state = 'active'"
                          " WHERE tenant_id = current_tenant() AND id = $1::uuid");
QUERY(scim_user_ends_sql, "SELECT principal_ends($1::uuid)");
QUERY(scim_user_delete_sql,
      "UPDATE scim_user SET deleted = true, version = version + 1, updated_at = now()"
      " WHERE tenant_id = current_tenant() AND principal_id = $1::uuid");
QUERY(scim_user_groups_sql, "DELETE FROM group_member WHERE tenant_id = current_tenant()"
                            " AND principal_id = $1::uuid AND source = 'scim'");

static enum err find(struct request *rq, const char *id, struct scim_user *out)
{
    if (!id_valid(id))
        return ERR_NOT_FOUND;
    return db_one(rq->db, &scim_user_find_sql, user_columns, out, PARAMS(P_TEXT(id)));
}

static json_t *shown(struct request *rq, const struct scim_user *u, struct scim_meta *m)
{
    json_t *json = json_deep_copy(u->doc);

    *m = (struct scim_meta){.type = "User",
                            .id = u->id,
                            .version = u->version,
                            .created_at = u->created_at,
                            .updated_at = u->updated_at};
    json_object_set_new(json, "schemas", json_pack("[s]", SCIM_USER));
    json_object_set_new(json, "active", json_boolean(u->active));
    request_object(rq, "users/%s", u->name);
    return json;
}

static enum err reply(struct request *rq, const char *id)
{
    struct scim_user u;
    struct scim_meta m;
    json_t *json;

    TRY(find(rq, id, &u));
    json = shown(rq, &u, &m);
    return scim_reply_resource(rq, &m, json);
}

static enum err taken(struct request *rq)
{
    return fail(rq, ERR_EXISTS, "there is a user of this userName or externalId already");
}

/* POST /scim/v2/Users */
enum err post_scim_user(struct request *rq)
{
    char id[ID_SIZE];
    json_t *doc;
    struct parts p;
    enum err e;

    TRY(scim_body(rq, &doc));
    TRY(understand(rq, doc, &p));
    TRY(authority_fence(rq));
    id_new(id);
    TRY(db_change(rq->db, &scim_principal_sql,
                  PARAMS(P_TEXT(id), P_TEXT(scim_name(rq->arena, p.user_name, id)),
                         P_TEXT(p.display_name), P_TEXT(p.email),
                         P_TEXT(p.active ? "active" : "disabled"), P_TEXT(rq->caller.id))));
    e = db_change(rq->db, &scim_user_insert_sql,
                  PARAMS(P_TEXT(id), P_TEXT(p.user_name), P_TEXT(p.external_id), P_JSON(doc)));
    if (e == ERR_EXISTS)
        return taken(rq);
    TRY(e);
    request_status(rq, 201);
    return reply(rq, id);
}

/* GET /scim/v2/Users/{id} */
enum err get_scim_user(struct request *rq)
{
    return reply(rq, rq->args[0]);
}

/* GET /scim/v2/Users */
enum err get_scim_users(struct request *rq)
{
    struct scim_search s;
    struct rows rows;
    PGresult *count;
    json_t *list;

    TRY(scim_search(rq, &s));
    TRY(db_rows(rq->db, &scim_user_count_sql, &count,
                PARAMS(P_TEXT(s.id), P_TEXT(s.user_name), P_TEXT(s.external_id),
                       P_TEXT(s.display_name), P_TEXT(s.email), P_TEXT(s.active))));
    TRY(db_list(rq->db, &scim_user_list_sql, user_columns, sizeof(struct scim_user), &rows,
                PARAMS(P_TEXT(s.id), P_TEXT(s.user_name), P_TEXT(s.external_id),
                       P_TEXT(s.display_name), P_TEXT(s.email), P_TEXT(s.active),
                       P_INT(s.start - 1), P_INT(s.count))));
    list = json_array();
    for (size_t i = 0; i < rows.count; i++) {
        struct scim_meta m;
        json_t *json = shown(rq, (const struct scim_user *)rows.items + i, &m);

        json_array_append_new(list, scim_resource(rq, &m, json));
    }
    rq->object = NULL;
    return scim_reply_list(rq, &s, strtoll(PQgetvalue(count, 0, 0), NULL, 10), list);
}

/* Access ends before anything else can happen with it. */
static enum err end_user(struct request *rq, const char *id)
{
    PGresult *done;

    TRY(db_rows(rq->db, &scim_user_ends_sql, &done, PARAMS(P_TEXT(id))));
    return authority_someone_administers(rq);
}

/* Only a change of the directory's mind counts, so that it does not undo what an admin here did. */
static enum err save(struct request *rq, const struct scim_user *old, json_t *doc)
{
    bool was = !json_is_false(json_object_get(old->doc, "active"));
    struct parts p;
    enum err e;

    TRY(understand(rq, doc, &p));
    e = db_change(rq->db, &scim_user_update_sql,
                  PARAMS(P_TEXT(old->id), P_TEXT(p.user_name), P_TEXT(p.external_id), P_JSON(doc)));
    if (e == ERR_EXISTS)
        return taken(rq);
    TRY(e);
    TRY(db_change(rq->db, &scim_user_shown_sql,
                  PARAMS(P_TEXT(old->id), P_TEXT(p.display_name), P_TEXT(p.email))));
    if (!p.active)
        TRY(end_user(rq, old->id));
    else if (!was)
        TRY(db_change(rq->db, &scim_user_wake_sql, PARAMS(P_TEXT(old->id))));
    return reply(rq, old->id);
}

static enum err begin(struct request *rq, struct scim_user *u)
{
    TRY(authority_fence(rq));
    TRY(find(rq, rq->args[0], u));
    request_object(rq, "users/%s", u->name);
    return scim_match(rq, u->version);
}

/* PUT /scim/v2/Users/{id}, as Okta does */
enum err put_scim_user(struct request *rq)
{
    struct scim_user u;
    json_t *doc;

    TRY(scim_body(rq, &doc));
    TRY(begin(rq, &u));
    return save(rq, &u, doc);
}

static void release_json(void *json)
{
    json_decref(json);
}

/* PATCH /scim/v2/Users/{id}, as Entra does */
enum err patch_scim_user(struct request *rq)
{
    struct scim_user u;
    json_t *body;
    json_t *doc;

    TRY(scim_body(rq, &body));
    TRY(begin(rq, &u));
    doc = json_deep_copy(u.doc);
    arena_own(rq->arena, doc, release_json);
    TRY(scim_patch(rq, body, doc));
    return save(rq, &u, doc);
}

/* DELETE /scim/v2/Users/{id}. History names the person, so the account stays, disabled for good. */
enum err delete_scim_user(struct request *rq)
{
    struct scim_user u;

    TRY(begin(rq, &u));
    TRY(end_user(rq, u.id));
    TRY(db_run(rq->db, &scim_user_groups_sql, NULL, PARAMS(P_TEXT(u.id))));
    TRY(db_change(rq->db, &scim_user_delete_sql, PARAMS(P_TEXT(u.id))));
    return request_reply_empty(rq);
}
