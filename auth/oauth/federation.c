/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/oauth/federation.h"

#include "core/crypto.h"

#include <string.h>

enum { TAG_BYTES = 4, STEM_MAX = 40, GROUPS_MAX = 1000 };

static const char *text_of(const json_t *claims, const char *name, size_t longest)
{
    const json_t *value = json_object_get(claims, name);
    const char *text = json_string_value(value);

    return text != NULL && *text != '\0' && strlen(text) == json_string_length(value) &&
                   strlen(text) <= longest
               ? text
               : NULL;
}

/* Entra names a claim that did not fit in _claim_names, or sets hasgroups. */
static bool is_overage(const json_t *claims, const char *claim)
{
    return json_object_get(json_object_get(claims, "_claim_names"), claim) != NULL ||
           json_is_true(json_object_get(claims, "hasgroups"));
}

static void add_group(const struct provider *p, const json_t *value, struct texts *out)
{
    const char *name = json_string_value(
        json_object_get(p->groups, json_is_string(value) ? json_string_value(value) : ""));

    for (size_t i = 0; name != NULL && i < out->count; i++)
        if (strcmp(out->items[i], name) == 0)
            return;
    if (name != NULL)
        out->items[out->count++] = name;
}

enum err federation_read(struct arena *a, const struct provider *p, const json_t *claims,
                         struct federated *out)
{
    const json_t *groups = p->group_claim == NULL ? NULL : json_object_get(claims, p->group_claim);
    size_t count = json_is_array(groups) ? json_array_size(groups) : 1;
    const json_t *one;
    size_t i;

    *out = (struct federated){
        .subject = text_of(claims, "sub", 255),
        .external_id = text_of(claims, p->subject_claim, 255),
        .user_name = text_of(claims, "preferred_username", 255),
        .display_name = text_of(claims, "name", 200),
        .email = text_of(claims, "email", 254),
        .sid = text_of(claims, "sid", 255),
        .auth_ms = 1000 * json_integer_value(json_object_get(claims, "auth_time")),
        .overage = p->group_claim != NULL && is_overage(claims, p->group_claim),
    };
    if (out->subject == NULL || count > GROUPS_MAX)
        return ERR_TOKEN;
    out->groups.items = arena_alloc(a, (count + 1) * sizeof(*out->groups.items));
    if (json_is_string(groups))
        add_group(p, groups, &out->groups);
    json_array_foreach(groups, i, one) add_group(p, one, &out->groups);
    return OK;
}

static const struct field person_columns[] = {
    TEXT(struct person, id, 36),
    NAME(struct person, name),
    TEXT(struct person, state, 10),
    FIELDS_END,
};

QUERY(federation_known_sql,
      "SELECT p.id, p.name, p.state FROM federated_identity i"
      " JOIN principal p ON p.tenant_id = i.tenant_id AND p.id = i.principal_id"
      " WHERE i.tenant_id = current_tenant() AND i.provider_id = $1::uuid AND i.issuer = $2"
      " AND i.subject = $3");
QUERY(federation_scim_sql,
      "SELECT p.id, p.name, p.state FROM scim_user s"
      " JOIN principal p ON p.tenant_id = s.tenant_id AND p.id = s.principal_id"
      " WHERE s.tenant_id = current_tenant() AND s.external_id = $1 AND NOT s.deleted");
QUERY(federation_principal_sql,
      "INSERT INTO principal (tenant_id, id, name, kind, display_name, email, created_by)"
      " VALUES (current_tenant(), $1::uuid, $2, 'user', $3, $4, $5::uuid)");
QUERY(federation_link_sql,
      "INSERT INTO federated_identity (tenant_id, provider_id, issuer, subject, principal_id)"
      " VALUES (current_tenant(), $1::uuid, $2, $3, $4::uuid)"
      " ON CONFLICT ON CONSTRAINT federated_identity_key DO UPDATE SET last_used_at = now()");

/* A name in our form: what they would like, and a mark of issuer and subject, so that nobody takes
 * the name of another by wishing for it. */
static const char *name_for(struct arena *a, const struct provider *p, const struct federated *f)
{
    const char *key = arena_printf(a, "%s\n%s\n%s", p->id, p->issuer, f->subject);
    struct digest d = sha256_of(key, strlen(key));
    const char *wish = f->user_name == NULL ? "" : f->user_name;
    char stem[STEM_MAX + 1];
    char tag[2 * TAG_BYTES + 1];
    size_t n = 0;

    for (; *wish != '\0' && *wish != '@' && n < STEM_MAX; wish++) {
        char c = (char)(*wish >= 'A' && *wish <= 'Z' ? *wish - 'A' + 'a' : *wish);
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

        if (plain || (n > 0 && strchr("._-", c) != NULL))
            stem[n++] = c;
    }
    stem[n] = '\0';
    hex_encode(d.bytes, TAG_BYTES, tag);
    return arena_printf(a, "%s.%s", n == 0 ? "user" : stem, tag);
}

static enum err make_person(struct request *rq, const struct provider *p, const struct federated *f,
                            struct person *out)
{
    char id[ID_SIZE];

    id_new(id);
    *out = (struct person){
        .id = arena_text(rq->arena, id), .name = name_for(rq->arena, p, f), .state = "active"};
    return db_change(rq->db, &federation_principal_sql,
                     PARAMS(P_TEXT(out->id), P_TEXT(out->name), P_TEXT(f->display_name),
                            P_TEXT(f->email), P_TEXT(p->created_by)));
}

enum err federation_known(struct db *db, const struct provider *p, const char *subject,
                          struct person *out)
{
    return db_one(db, &federation_known_sql, person_columns, out,
                  PARAMS(P_TEXT(p->id), P_TEXT(p->issuer), P_TEXT(subject)));
}

static enum err find_person(struct request *rq, const struct provider *p, const struct federated *f,
                            struct person *out)
{
    enum err e = federation_known(rq->db, p, f->subject, out);

    if (e != ERR_NOT_FOUND)
        return e;
    if (strcmp(p->provisioning, "jit") == 0)
        return make_person(rq, p, f, out);
    if (f->external_id == NULL)
        return fail(rq, ERR_DENIED, "the ID token has no claim %s", p->subject_claim);
    e = db_one(rq->db, &federation_scim_sql, person_columns, out, PARAMS(P_TEXT(f->external_id)));
    if (e == ERR_NOT_FOUND)
        return fail(rq, ERR_DENIED, "nobody is provisioned here for this account");
    return e;
}

QUERY(federation_leave_sql,
      "DELETE FROM group_member m USING principal_group g WHERE m.tenant_id = current_tenant()"
      " AND g.tenant_id = m.tenant_id AND g.id = m.group_id AND m.principal_id = $1::uuid"
      " AND m.source = 'claim' AND NOT g.name = ANY ($2::text[])");
QUERY(federation_join_sql,
      "INSERT INTO group_member (tenant_id, id, group_id, principal_id, source, created_by)"
      " SELECT current_tenant(), gen_random_uuid(), g.id, $1::uuid, 'claim', $3::uuid"
      " FROM principal_group g WHERE g.tenant_id = current_tenant() AND g.name = ANY ($2::text[])"
      " AND NOT EXISTS (SELECT FROM group_member m WHERE m.tenant_id = g.tenant_id"
      "   AND m.group_id = g.id AND m.principal_id = $1::uuid AND m.source = 'claim')");

QUERY(federation_groups_sql,
      "SELECT FROM principal_group g FULL JOIN (SELECT group_id FROM group_member"
      "   WHERE tenant_id = current_tenant() AND principal_id = $1::uuid AND source = 'claim') m"
      " ON m.group_id = g.id AND g.name = ANY ($2::text[])"
      " WHERE (m.group_id IS NULL AND g.tenant_id = current_tenant() AND g.name = ANY ($2::text[]))"
      " OR g.id IS NULL LIMIT 1");

/* Every change of memberships moves the epoch, so there is one only when something differs.
 * Without the claim, or with too many groups to say, nothing is known and so nothing is given. */
static enum err sync_groups(struct request *rq, const struct provider *p, const struct federated *f,
                            const char *id)
{
    PGresult *differing;

    TRY(db_rows(rq->db, &federation_groups_sql, &differing,
                PARAMS(P_TEXT(id), P_TEXTS(f->groups.items, f->groups.count))));
    if (PQntuples(differing) == 0)
        return OK;
    TRY(db_run(rq->db, &federation_leave_sql, NULL,
               PARAMS(P_TEXT(id), P_TEXTS(f->groups.items, f->groups.count))));
    if (f->groups.count == 0)
        return OK;
    return db_run(
        rq->db, &federation_join_sql, NULL,
        PARAMS(P_TEXT(id), P_TEXTS(f->groups.items, f->groups.count), P_TEXT(p->created_by)));
}

enum err federation_enter(struct request *rq, const struct provider *p, const struct federated *f,
                          struct person *out)
{
    enum err e = find_person(rq, p, f, out);

    if (e == ERR_EXISTS)
        return fail(rq, ERR_CONFLICT, "this account is being signed in for the first time already");
    TRY(e);
    if (strcmp(out->state, "active") != 0)
        return fail(rq, ERR_DENIED, "the account %s is disabled", out->name);
    TRY(db_run(rq->db, &federation_link_sql, NULL,
               PARAMS(P_TEXT(p->id), P_TEXT(p->issuer), P_TEXT(f->subject), P_TEXT(out->id))));
    if (p->group_claim == NULL)
        return OK;
    return sync_groups(rq, p, f, out->id);
}
