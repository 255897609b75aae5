/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/transfer.h"

#include "registry/blob_file.h"
#include "registry/file_http.h"
#include "registry/handlers.h"
#include "registry/version_http.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct transfer_body {
    const char *path;
    int64_t size;
    const char *sha256;
};

const struct field transfer_body_fields[] = {
    TEXT(struct transfer_body, path, 512),
    INT(struct transfer_body, size, 0, (int64_t)1 << 44),
    OPT_TEXT(struct transfer_body, sha256, 64),
    FIELDS_END,
};

/* POST …/versions/{version}/uploads */
enum err post_transfer(struct request *rq)
{
    struct transfer_body b = {.sha256 = NULL};
    struct transfer t;
    struct version v;
    uint8_t bytes[SHA256_SIZE];
    char id[ID_SIZE];

    TRY(request_read(rq, &b));
    TRY(file_path_check(rq, b.path));
    if (b.sha256 != NULL && !hex_decode(b.sha256, bytes, sizeof(bytes))) {
        rq->target = "sha256";
        return fail(rq, ERR_INVALID, "sha256 must be 64 hexadecimal digits");
    }
    TRY(version_lock_pending(rq, &v));
    id_new(id);
    t = (struct transfer){.id = id, .path = b.path, .size = b.size, .sha256 = b.sha256};
    TRY(transfer_create(rq->db, v.id, &t, rq->caller.id));
    TRY(transfer_find(rq->db, v.id, id, &t));
    request_status(rq, 201);
    request_set_header(rq, "Location", arena_printf(rq->arena, "%s/%s", rq->path, t.id));
    return request_reply(rq, transfer_fields, &t);
}

static enum err reply_transfer(struct request *rq, const struct transfer *t)
{
    request_set_header(rq, "Upload-Offset",
                       arena_printf(rq->arena, "%lld", (long long)t->received));
    return request_reply(rq, transfer_fields, t);
}

/* GET …/uploads/{upload} */
enum err get_transfer(struct request *rq)
{
    struct transfer t;
    struct version v;

    TRY(version_of_path(rq, &v));
    TRY(transfer_find(rq->db, v.id, rq->args[3], &t));
    return reply_transfer(rq, &t);
}

/* DELETE …/uploads/{upload}. The collector takes the spool file. */
enum err delete_transfer(struct request *rq)
{
    struct transfer t;
    struct version v;

    TRY(version_lock_path(rq, &v));
    TRY(transfer_find(rq->db, v.id, rq->args[3], &t));
    TRY(transfer_delete(rq->db, t.id));
    return request_reply_empty(rq);
}

/* An upload as it is recorded, and how many bytes of it are here now. */
struct arrival {
    struct transfer transfer;
    int64_t received;
};

static enum err advance(struct request *rq)
{
    const struct arrival *a = rq->work;
    struct transfer t = a->transfer;
    struct version v;

    TRY(version_lock_pending(rq, &v));
    TRY(transfer_advance(rq->db, &t, a->received));
    t.received = a->received;
    return reply_transfer(rq, &t);
}

static enum err complete(struct request *rq)
{
    struct transfer t = ((const struct arrival *)rq->work)->transfer;
    struct version_file file = {.path = t.path, .size = t.size, .sha256 = t.sha256};
    char *spool = blob_spool_path(rq->caller.tenant_id, t.id);
    struct version v;
    enum err e;

    arena_own(rq->arena, spool, free);
    TRY(version_lock_pending(rq, &v));
    request_object(rq, "%s/files/%s", version_path(rq->arena, &v), t.path);
    request_audit(rq, "sha256", json_string(t.sha256));
    TRY(transfer_delete(rq->db, t.id));
    e = version_add_file(rq->db, &v, &file, spool);
    if (e == ERR_TOO_LARGE)
        return fail(rq, e, "a version has at most %d files", VERSION_FILES_MAX);
    TRY(e);
    t.received = t.size;
    return reply_transfer(rq, &t);
}

/* All bytes are here: are they what was announced? If not, the upload begins again. */
static enum err finish(struct request *rq, struct transfer *t, int fd)
{
    struct digest digest;
    const char *hex;

    TRY(transfer_digest(fd, &digest));
    hex = hex_of(rq->arena, &digest);
    if (t->sha256 != NULL && strcasecmp(t->sha256, hex) != 0) {
        TRY(transfer_advance(rq->db, t, 0));
        return fail(rq, ERR_DIGEST,
                    "the bytes have the SHA-256 %s, not %s; the upload begins "
                    "again at 0",
                    hex, t->sha256);
    }
    t->sha256 = hex;
    return request_tx(rq, complete);
}

static enum err take_bytes(struct request *rq, const struct version *v, int64_t offset, int fd)
{
    struct arrival arrival;
    struct transfer *t = &arrival.transfer;
    enum err e;

    TRY(transfer_find(rq->db, v->id, rq->args[3], t));
    if (offset != t->received) {
        request_set_header(rq, "Upload-Offset",
                           arena_printf(rq->arena, "%lld", (long long)t->received));
        return fail(rq, ERR_CONFLICT, "Upload-Offset must be %lld, which is what has arrived",
                    (long long)t->received);
    }
    if (rq->upload->size > t->size - offset)
        return fail(rq, ERR_TOO_LARGE, "the upload has only %lld bytes to go",
                    (long long)(t->size - offset));
    e = transfer_cut(fd, t->received);
    if (e == ERR_NOT_FOUND) {
        TRY(transfer_advance(rq->db, t, 0));
        return fail(rq, ERR_CONFLICT, "the received bytes are lost; begin again at 0");
    }
    TRY(e);
    TRY(transfer_append(fd, rq->upload->path, rq->upload->size));
    arrival.received = offset + rq->upload->size;
    rq->work = &arrival;
    return arrival.received == t->size ? finish(rq, t, fd) : request_tx(rq, advance);
}

/* PATCH …/uploads/{upload}. Bytes that came before the connection broke are kept. */
enum err patch_transfer(struct request *rq)
{
    const char *header = request_header(rq, "upload-offset");
    uint64_t offset = 0;
    struct transfer t;
    struct version v;
    enum err e;
    int fd;

    if (header == NULL || !uint_parse(header, INT64_MAX, &offset))
        return fail(rq, ERR_INVALID, "the header Upload-Offset must say where the bytes belong");
    if (rq->upload == NULL)
        return fail(rq, ERR_INVALID, "there is no body");
    TRY(digest_check(rq, &rq->upload->sha256));
    TRY(version_of_path(rq, &v));
    TRY(transfer_find(rq->db, v.id, rq->args[3], &t));
    e = transfer_open(rq->caller.tenant_id, t.id, &fd);
    if (e == ERR_BUSY)
        return fail(rq, ERR_CONFLICT, "another request is writing to this upload");
    TRY(e);
    e = take_bytes(rq, &v, (int64_t)offset, fd);
    (void)close(fd);
    return e;
}
