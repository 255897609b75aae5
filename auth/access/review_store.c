/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/review.h"

#include "auth/access/role.h"

const struct field review_fields[] = {
    TEXT(struct review, id, 36),
    NAME(struct review, name),
    OPT_NAME(struct review, project),
    TEXTS(struct review, reviewers, 50),
    TIME(struct review, due_at),
    TEXT(struct review, digest, 64),
    INT(struct review, items, 0, INT64_MAX),
    INT(struct review, open, 0, INT64_MAX),
    OPT_TEXT(struct review, created_by, 63),
    TIME(struct review, created_at),
    FIELDS_END,
};

const struct field review_item_fields[] = {
    TEXT(struct review_item, binding, 36),
    TEXT(struct review_item, holder, 80),
    TEXT(struct review_item, role, 63),
    TEXT(struct review_item, place, 200),
    OPT_TIME(struct review_item, last_used_at),
    TEXT(struct review_item, recommended, 10),
    OPT_TEXT(struct review_item, decision, 10),
    OPT_TEXT(struct review_item, reason, 2000),
    OPT_TEXT(struct review_item, decided_by, 63),
    OPT_TIME(struct review_item, decided_at),
    FIELDS_END,
};

#define REVIEW_SELECT                                                                              \
    "SELECT r.id, r.name, p.name AS project, r.reviewers, r.due_at, r.digest, c.name AS"           \
    " created_by, r.created_at, count(i.binding_id) AS items,"                                     \
    " count(i.binding_id) FILTER (WHERE i.decision IS NULL) AS open FROM review r"                 \
    " LEFT JOIN review_item i ON i.tenant_id = r.tenant_id AND i.review_id = r.id"                 \
    " LEFT JOIN project p ON p.tenant_id = r.tenant_id AND p.id = r.project_id"                    \
    " LEFT JOIN principal c ON c.tenant_id = r.tenant_id AND c.id = r.created_by"                  \
    " WHERE r.tenant_id = current_tenant()"
#define REVIEW_GROUP " GROUP BY r.tenant_id, r.id, p.name, c.name"

QUERY(review_find_sql, REVIEW_SELECT " AND r.name = $1" REVIEW_GROUP);
QUERY(review_list_sql, REVIEW_SELECT REVIEW_GROUP " ORDER BY r.id DESC LIMIT 1000");

enum err review_find(struct db *db, const char *name, struct review *out)
{
    return db_one(db, &review_find_sql, review_fields, out, PARAMS(P_TEXT(name)));
}

enum err review_list(struct db *db, struct rows *out)
{
    return db_list(db, &review_list_sql, review_fields, sizeof(struct review), out, NO_PARAMS);
}

QUERY(review_items_sql,
      "SELECT i.binding_id AS binding, i.holder, i.role, i.place, i.last_used_at, i.recommended,"
      " i.decision, i.reason, p.name AS decided_by, i.decided_at FROM review_item i"
      " LEFT JOIN principal p ON p.tenant_id = i.tenant_id AND p.id = i.decided_by"
      " WHERE i.tenant_id = current_tenant() AND i.review_id = $1::uuid"
      " ORDER BY i.holder, i.role, i.place, i.binding_id");

enum err review_items(struct db *db, const char *id, struct rows *out)
{
    return db_list(db, &review_items_sql, review_item_fields, sizeof(struct review_item), out,
                   PARAMS(P_TEXT(id)));
}

#define UNDER_REVIEW                                                                               \
    " FROM binding b LEFT JOIN principal n ON n.tenant_id = b.tenant_id AND n.id = b.principal_id" \
    " LEFT JOIN principal_group g ON g.tenant_id = b.tenant_id AND g.id = b.group_id"              \
    " LEFT JOIN project j ON j.tenant_id = b.tenant_id AND j.id = b.project_id"                    \
    " WHERE b.tenant_id = current_tenant() AND b.scope <> 'platform'"                              \
    " AND (b.valid_until IS NULL OR b.valid_until > now())"                                        \
    " AND ($2::uuid IS NULL OR b.project_id = $2::uuid)"                                           \
    " AND ($3::boolean OR NOT b.role = ANY ($4::text[]))"
#define PLACE_TEXT "concat_ws('/', b.scope, j.name, b.asset)"

QUERY(review_digest_sql,
      "INSERT INTO review (tenant_id, id, name, project_id, reviewers, due_at, created_by, digest)"
      " SELECT current_tenant(), $1::uuid, $5, $2::uuid, $6, $7::timestamptz, $8::uuid,"
      " encode(sha256(convert_to(coalesce(string_agg(concat_ws(' ', b.id, coalesce(n.name,"
      " 'group:' || g.name), b.role, " PLACE_TEXT
      "), E'\\n' ORDER BY b.id), ''), 'UTF8')), 'hex')" UNDER_REVIEW);
QUERY(review_freeze_sql,
      "INSERT INTO review_item (tenant_id, review_id, binding_id, holder, role, place,"
      " lasted_until, last_used_at, recommended)"
      " SELECT current_tenant(), $1::uuid, b.id, coalesce(n.name, 'group:' || g.name), b.role,"
      " " PLACE_TEXT ", b.valid_until, u.at, CASE WHEN b.principal_id IS NOT NULL AND"
      " coalesce(u.at, b.created_at) < now() - interval '30 days' THEN 'remove' ELSE 'keep' END"
      " FROM (SELECT b.* " UNDER_REVIEW ") b"
      " LEFT JOIN principal n ON n.tenant_id = b.tenant_id AND n.id = b.principal_id"
      " LEFT JOIN principal_group g ON g.tenant_id = b.tenant_id AND g.id = b.group_id"
      " LEFT JOIN project j ON j.tenant_id = b.tenant_id AND j.id = b.project_id"
      " LEFT JOIN LATERAL (SELECT max(e.at) AS at FROM audit_entry e"
      "  WHERE e.tenant_id = current_tenant() AND e.actor = b.principal_id) u ON true");
QUERY(review_end_sql,
      "UPDATE binding b SET valid_until = least(coalesce(b.valid_until, 'infinity'), r.due_at)"
      " FROM review_item i JOIN review r ON r.tenant_id = i.tenant_id AND r.id = i.review_id"
      " WHERE i.tenant_id = current_tenant() AND i.review_id = $1::uuid"
      " AND b.tenant_id = i.tenant_id AND b.id = i.binding_id AND b.role <> 'tenant-admin'");

enum err review_begin(struct db *db, const struct review *r, const char *project_id,
                      bool privileged, const char *by)
{
    const char *reserved[ROLE_COUNT];
    size_t count = 0;

    for (unsigned i = 0; i < ROLE_COUNT; i++)
        if (role_facts((enum role)i)->class == CLASS_PRIVILEGED)
            reserved[count++] = role_facts((enum role)i)->text;
    TRY(db_change(db, &review_digest_sql,
                  PARAMS(P_TEXT(r->id), P_TEXT(project_id), P_BOOL(privileged),
                         P_TEXTS(reserved, count), P_TEXT(r->name),
                         P_TEXTS(r->reviewers.items, r->reviewers.count), P_TEXT(r->due_at),
                         P_TEXT(by))));
    TRY(db_run(
        db, &review_freeze_sql, NULL,
        PARAMS(P_TEXT(r->id), P_TEXT(project_id), P_BOOL(privileged), P_TEXTS(reserved, count))));
    return db_run(db, &review_end_sql, NULL, PARAMS(P_TEXT(r->id)));
}

struct holder_row {
    const char *principal_id;
};

static const struct field holder_columns[] = {
    OPT_TEXT(struct holder_row, principal_id, 36),
    FIELDS_END,
};

QUERY(review_holder_sql, "SELECT b.principal_id FROM review_item i"
                         " LEFT JOIN binding b ON b.tenant_id = i.tenant_id AND b.id = i.binding_id"
                         " WHERE i.tenant_id = current_tenant() AND i.review_id = $1::uuid"
                         " AND i.binding_id = $2::uuid FOR UPDATE OF i");

enum err review_holder(struct db *db, const char *id, const char *binding,
                       const char **principal_id)
{
    struct holder_row row;

    TRY(db_one(db, &review_holder_sql, holder_columns, &row, PARAMS(P_TEXT(id), P_TEXT(binding))));
    *principal_id = row.principal_id;
    return OK;
}

QUERY(review_keep_sql, "UPDATE binding b SET valid_until = i.lasted_until FROM review_item i"
                       " WHERE i.tenant_id = current_tenant() AND i.review_id = $1::uuid"
                       " AND i.binding_id = $2::uuid AND b.tenant_id = i.tenant_id"
                       " AND b.id = i.binding_id");

enum err review_keep(struct db *db, const char *id, const char *binding)
{
    return db_change(db, &review_keep_sql, PARAMS(P_TEXT(id), P_TEXT(binding)));
}

QUERY(review_remove_sql,
      "DELETE FROM binding WHERE tenant_id = current_tenant() AND id = $1::uuid");

enum err review_remove(struct db *db, const char *binding)
{
    return db_run(db, &review_remove_sql, NULL, PARAMS(P_TEXT(binding)));
}

QUERY(review_decide_sql,
      "UPDATE review_item SET decision = $3, reason = $4, decided_by = $5::uuid,"
      " decided_at = now() WHERE tenant_id = current_tenant() AND review_id = $1::uuid"
      " AND binding_id = $2::uuid AND decision IS NULL");

enum err review_decide(struct db *db, const char *id, const struct review_item *item,
                       const char *by)
{
    return db_change(db, &review_decide_sql,
                     PARAMS(P_TEXT(id), P_TEXT(item->binding), P_TEXT(item->decision),
                            P_TEXT(item->reason), P_TEXT(by)));
}
