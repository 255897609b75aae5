/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/multipart.h"

#include "auth/auth.h"
#include "core/crypto.h"
#include "registry/blob.h"
#include "registry/blob_file.h"
#include "registry/file_http.h"
#include "registry/handlers.h"
#include "registry/mlflow/mlflow.h"
#include "registry/transfer.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TICKET_MAX = 1024 };

static const char place_of_tickets[] = "multipart part";
static const uint8_t *ticket_key;

void multipart_start(const unsigned char *key)
{
    ticket_key = key;
}

/* Whose part it is; everything the part's request knows. */
struct ticket {
    const char *upload;
    int64_t part;
    int64_t expires_ms;
    const char *tenant_id;
    const char *tenant;
    const char *principal_id;
    const char *principal;
    const char *project;
};

static const struct field ticket_fields[] = {
    TEXT(struct ticket, upload, 36),
    INT(struct ticket, part, 1, MULTIPART_PARTS_MAX),
    INT(struct ticket, expires_ms, 0, INT64_MAX),
    TEXT(struct ticket, tenant_id, 36),
    NAME(struct ticket, tenant),
    TEXT(struct ticket, principal_id, 36),
    TEXT(struct ticket, principal, 200),
    NAME(struct ticket, project),
    FIELDS_END,
};

static enum err ticket_write(struct request *rq, const struct ticket *t, const char **out)
{
    struct text plain = text_new(TICKET_MAX);
    uint8_t sealed[TICKET_MAX + SEAL_OVERHEAD];
    size_t length;
    enum err e;

    field_write(ticket_fields, t, &plain);
    length = plain.length;
    e = plain.failed ? ERR_INTERNAL
                     : seal(ticket_key, place_of_tickets, plain.data, length, sealed);
    text_free(&plain);
    TRY(e);
    *out = base64url_encode(rq->arena, sealed, length + SEAL_OVERHEAD);
    return OK;
}

static bool ticket_read(struct request *rq, const char *text, struct ticket *t)
{
    uint8_t sealed[TICKET_MAX + SEAL_OVERHEAD];
    char *plain = arena_alloc(rq->arena, TICKET_MAX);
    long length = base64url_decode(text, strlen(text), sealed, sizeof(sealed));
    const char *why;
    json_t *json;

    if (length <= SEAL_OVERHEAD ||
        unseal(ticket_key, place_of_tickets, sealed, (size_t)length, (uint8_t *)plain) != OK)
        return false;
    json = json_loadb(plain, (size_t)length - SEAL_OVERHEAD, 0, NULL);
    if (json == NULL)
        return false;
    arena_own(rq->arena, json, (void (*)(void *))json_decref);
    return field_from_json(rq->arena, ticket_fields, json, t, &why) == OK;
}

enum err multipart_admit(struct request *rq)
{
    struct ticket t;

    if (!ticket_read(rq, rq->args[0], &t) || (int64_t)time_now_ms() > t.expires_ms)
        return fail(rq, ERR_TOKEN,
                    "the address of this part is not one that was given out, or it "
                    "has expired");
    rq->caller = (struct caller){.kind = PRINCIPAL_USER,
                                 .tenant_id = t.tenant_id,
                                 .tenant = t.tenant,
                                 .id = t.principal_id,
                                 .name = t.principal,
                                 .owner_id = "",
                                 .token_id = "",
                                 .expires_ms = t.expires_ms};
    rq->project = t.project;
    return OK;
}

/* The file that the upload is of: the directory of the path, the name of the client's own file. */
static enum err place_of(struct request *rq, struct artifact_place *p)
{
    const char *local;
    const char *name;

    TRY(artifact_path_check(rq, rq->args[0]));
    TRY(mlflow_need(rq, "path", 4096, &local));
    name = local;
    for (const char *c = local; *c != '\0'; c++)
        if (*c == '/' || *c == '\\')
            name = c + 1;
    if (*name == '\0')
        return mlflow_invalid(rq, "path", local);
    TRY(artifact_place(rq, arena_printf(rq->arena, "%s/%s", rq->args[0], name), p));
    if (p->owner == ARTIFACT_VERSION)
        return fail(rq, ERR_DENIED, "A registered version is immutable");
    return *p->path == '\0' ? mlflow_invalid(rq, "path", local) : OK;
}

static enum err credentials(struct request *rq, const struct multipart *m, json_t *list)
{
    const char *api = strncmp(rq->path, "/ajax-api", 9) == 0 ? "/ajax-api" : "/api";
    struct ticket t = {.upload = m->id,
                       .expires_ms = (int64_t)time_now_ms() + (int64_t)MULTIPART_HOURS * 3600000,
                       .tenant_id = rq->caller.tenant_id,
                       .tenant = rq->caller.tenant,
                       .principal_id = rq->caller.id,
                       .principal = rq->caller.name,
                       .project = rq->project};
    const char *ticket;

    for (t.part = 1; t.part <= m->parts; t.part++) {
        TRY(ticket_write(rq, &t, &ticket));
        json_array_append_new(
            list, json_pack("{s:s, s:I, s:{}}", "url",
                            arena_printf(rq->arena, "https://%s%s/2.0/mlflow-artifacts/parts/%s",
                                         rq->host, api, ticket),
                            "part_number", (json_int_t)t.part, "headers"));
    }
    return OK;
}

/* POST …/mlflow-artifacts/mpu/create/{path+} */
enum err post_mlflow_multipart(struct request *rq)
{
    struct multipart m = {.parts = 1};
    struct artifact_place p;
    json_t *list = json_array();
    char id[ID_SIZE];

    arena_own(rq->arena, list, (void (*)(void *))json_decref);
    TRY(mlflow_int(rq, "num_parts", 1, MULTIPART_PARTS_MAX, &m.parts));
    TRY(place_of(rq, &p));
    id_new(id);
    m.id = id;
    TRY(multipart_create(rq->db, auth_project_id(rq), &p, &m, rq->caller.id));
    TRY(credentials(rq, &m, list));
    return request_reply_json(rq, json_pack("{s:s, s:O}", "upload_id", id, "credentials", list));
}

struct arrived {
    struct ticket ticket;
    struct multipart_part part;
};

static enum err take_part(struct request *rq)
{
    const struct arrived *a = rq->work;
    enum err e;

    request_object(rq, "uploads/%s/parts/%lld", a->ticket.upload, (long long)a->part.part);
    e = multipart_put(rq->db, a->ticket.upload, rq->caller.id, &a->part, rq->upload->path);
    if (e == ERR_NOT_FOUND)
        return fail(rq, ERR_TOKEN, "the upload is over");
    if (e == ERR_CONFLICT)
        return fail(rq, e, "part %lld has arrived already", (long long)a->part.part);
    TRY(e);
    request_set_header(rq, "ETag", arena_printf(rq->arena, "\"%s\"", a->part.sha256));
    return mlflow_reply_empty(rq);
}

/* PUT …/mlflow-artifacts/parts/{ticket}: who sends it was settled before its body was read. */
enum err put_mlflow_part(struct request *rq)
{
    struct arrived a;

    if (!ticket_read(rq, rq->args[0], &a.ticket))
        return ERR_TOKEN;
    if (rq->upload == NULL || !rq->upload->complete)
        return fail(rq, ERR_INVALID, "the body is truncated: fewer bytes came than were announced");
    a.part = (struct multipart_part){.part = a.ticket.part,
                                     .sha256 = hex_of(rq->arena, &rq->upload->sha256),
                                     .size = rq->upload->size};
    rq->work = &a;
    return request_tx(rq, take_part);
}

/* All parts, as they were listed and as they came: 1, 2, … */
static enum err compare(struct request *rq, const struct multipart *m, const struct rows *parts)
{
    const struct multipart_part *part = parts->items;
    const json_t *listed;

    TRY(mlflow_list(rq, "parts", MULTIPART_PARTS_MAX, &listed));
    if (parts->count != (size_t)m->parts || json_array_size(listed) != parts->count)
        return fail(rq, ERR_INVALID,
                    "%zu parts are listed and %zu have arrived of the %lld that were announced",
                    json_array_size(listed), parts->count, (long long)m->parts);
    for (size_t i = 0; i < parts->count; i++) {
        const json_t *item = json_array_get(listed, i);
        const char *etag = mlflow_member(item, "etag");
        int64_t number = 0;

        if (!mlflow_number(json_object_get(item, "part_number"), &number) ||
            number != part[i].part || etag == NULL || strstr(etag, part[i].sha256) == NULL)
            return fail(rq, ERR_INVALID, "parts[%zu] is not the part that arrived", i);
    }
    return OK;
}

struct joined {
    struct artifact_place place;
    struct multipart upload;
    struct artifact_file file;
    const char *spool;
};

static enum err keep(struct request *rq)
{
    const struct joined *j = rq->work;
    enum err e;

    request_object(rq, "artifacts/%s", rq->args[0]);
    request_audit(rq, "sha256", json_string(j->file.sha256));
    request_audit(rq, "path", json_string(j->place.path));
    TRY(multipart_delete(rq->db, j->upload.id));
    e = artifact_put(rq->db, &j->place, &j->file, j->spool, rq->caller.id);
    if (e == ERR_CONFLICT)
        return fail(rq, ERR_INVALID, "%s would be a file and a directory", j->place.path);
    TRY(e);
    return mlflow_reply_empty(rq);
}

static enum err append(struct request *rq, int to, const struct multipart_part *part)
{
    enum err e;
    int fd;

    TRY(blob_open(rq->caller.tenant_id, part->sha256, &fd));
    e = transfer_append_fd(to, fd, part->size);
    (void)close(fd);
    return e;
}

static enum err join(struct request *rq, struct joined *j, const struct rows *parts, int fd)
{
    const struct multipart_part *part = parts->items;
    struct digest digest;

    TRY(transfer_cut(fd, 0));
    for (size_t i = 0; i < parts->count; i++) {
        TRY(append(rq, fd, &part[i]));
        j->file.size += part[i].size;
    }
    TRY(transfer_digest(fd, &digest));
    j->file.sha256 = hex_of(rq->arena, &digest);
    rq->work = j;
    return request_tx(rq, keep);
}

/* POST …/mlflow-artifacts/mpu/complete/{path+}: joined before the transaction, in the slow lane. */
enum err post_mlflow_multipart_complete(struct request *rq)
{
    struct joined j = {.file.size = 0};
    struct rows parts;
    const char *id;
    char *spool;
    enum err e;
    int fd;

    TRY(place_of(rq, &j.place));
    TRY(mlflow_need(rq, "upload_id", 64, &id));
    e = multipart_find(rq->db, &j.place, id, rq->caller.id, &j.upload);
    if (e == ERR_NOT_FOUND)
        return fail(rq, e, "There is no upload %s of this file", id);
    TRY(e);
    TRY(multipart_parts(rq->db, j.upload.id, &parts));
    TRY(compare(rq, &j.upload, &parts));
    spool = blob_spool_path(rq->caller.tenant_id, j.upload.id);
    arena_own(rq->arena, spool, free);
    j.spool = spool;
    e = transfer_open(rq->caller.tenant_id, j.upload.id, &fd);
    if (e == ERR_BUSY)
        return fail(rq, ERR_CONFLICT, "another request completes this upload");
    TRY(e);
    e = join(rq, &j, &parts, fd);
    (void)close(fd);
    return e;
}

/* POST …/mlflow-artifacts/mpu/abort/{path+} */
enum err post_mlflow_multipart_abort(struct request *rq)
{
    struct artifact_place p;
    struct multipart m;
    const char *id;
    enum err e;

    TRY(place_of(rq, &p));
    TRY(mlflow_need(rq, "upload_id", 64, &id));
    e = multipart_find(rq->db, &p, id, rq->caller.id, &m);
    if (e == ERR_NOT_FOUND)
        return fail(rq, e, "There is no upload %s of this file", id);
    TRY(e);
    TRY(multipart_delete(rq->db, m.id));
    return mlflow_reply_empty(rq);
}
