/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/keys/secret.h"

#include "auth/auth.h"
#include "auth/handlers.h"
#include "auth/keys/envelope.h"
#include "auth/listing.h"
#include "lineage/audit.h"
#include "lineage/privacy/subject_key.h"

#include <string.h>

struct secret_body {
    const char *value;
};

const struct field secret_body_fields[] = {
    TEXT(struct secret_body, value, ENVELOPE_MAX),
    FIELDS_END,
};

static enum err check_name(struct request *rq)
{
    request_object(rq, "secrets/%s", rq->args[1]);
    if (name_valid(rq->args[1]))
        return OK;
    return fail(rq, ERR_INVALID, "a secret's name is 1 to 63 of a-z, 0-9, '.', '_' and '-'");
}

/* PUT /v1/projects/{project}/secrets/{secret}. The value goes in and never comes out. */
enum err put_secret(struct request *rq)
{
    struct secret_body b;
    struct secret s;
    enum err e;

    TRY(check_name(rq));
    TRY(request_read(rq, &b));
    e = secret_find(rq->db, auth_project_id(rq), rq->args[1], &s);
    if (e == OK)
        audit_before(rq, secret_fields, &s);
    else if (e != ERR_NOT_FOUND)
        return e;
    TRY(secret_put(rq->db, auth_project_id(rq), rq->args[1], b.value, rq->caller.id));
    TRY(secret_find(rq->db, auth_project_id(rq), rq->args[1], &s));
    request_status(rq, s.versions == 1 ? 201 : 200);
    return request_reply(rq, secret_fields, &s);
}

/* GET /v1/projects/{project}/secrets */
enum err get_secrets(struct request *rq)
{
    struct listing l;
    struct rows rows;

    TRY(listing_read(rq, false, &l));
    TRY(secret_list(rq->db, auth_project_id(rq), l.after, l.limit + 1, &rows));
    return listing_reply(rq, &l, secret_fields, sizeof(struct secret), &rows,
                         offsetof(struct secret, name));
}

/* GET /v1/projects/{project}/secrets/{secret} */
enum err get_secret(struct request *rq)
{
    struct secret s;

    TRY(secret_find(rq->db, auth_project_id(rq), rq->args[1], &s));
    return request_reply(rq, secret_fields, &s);
}

/* GET /v1/projects/{project}/secrets/{secret}/versions */
enum err get_secret_versions(struct request *rq)
{
    struct secret s;
    struct rows rows;

    TRY(secret_find(rq->db, auth_project_id(rq), rq->args[1], &s));
    TRY(secret_versions(rq->db, s.id, &rows));
    return request_reply_list(rq, secret_version_fields, sizeof(struct secret_version), &rows,
                              NULL);
}

/* DELETE /v1/projects/{project}/secrets/{secret} */
enum err delete_secret(struct request *rq)
{
    struct secret s;

    TRY(check_name(rq));
    TRY(secret_find(rq->db, auth_project_id(rq), rq->args[1], &s));
    audit_before(rq, secret_fields, &s);
    TRY(secret_delete(rq->db, s.id));
    return request_reply_empty(rq);
}

/* POST /v1/tenant-key/rotate */
enum err post_tenant_key_rotate(struct request *rq)
{
    int64_t number;
    int64_t values;

    request_object(rq, "tenant-key");
    TRY(envelope_rotate(rq->db, &number, &values));
    return request_reply_json(
        rq, json_pack("{s:I,s:I}", "key", (json_int_t)number, "values", (json_int_t)values));
}

/* POST /v1/tenant-key/rewrap: after the installation has a newer key. */
enum err post_tenant_key_rewrap(struct request *rq)
{
    bool changed, audit;

    request_object(rq, "tenant-key");
    TRY(envelope_rewrap(rq->db, &changed));
    TRY(subject_root_rewrap(rq->db, &audit));
    return request_reply_json(rq, json_pack("{s:b}", "changed", changed || audit));
}

/* DELETE /v1/tenant-key?confirm={tenant}: no value of the tenant ever opens again. */
enum err delete_tenant_key(struct request *rq)
{
    const char *confirm = request_query(rq, "confirm");
    int64_t values;

    request_object(rq, "tenant-key");
    rq->target = "confirm";
    if (confirm == NULL || strcmp(confirm, rq->caller.tenant) != 0)
        return fail(rq, ERR_INVALID, "confirm must be the tenant's name: this cannot be undone");
    rq->target = NULL;
    TRY(envelope_shred(rq->db, &values));
    return request_reply_json(rq, json_pack("{s:I}", "values", (json_int_t)values));
}
