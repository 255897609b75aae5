/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/file_http.h"

#include "registry/asset.h"
#include "registry/blob.h"
#include "registry/handlers.h"
#include "registry/reply.h"
#include "registry/version_http.h"

#include <string.h>
#include <strings.h>

/* The sha-256 member of a Digest or Content-Digest header: sha-256=:base64: (RFC 9530 §2), or
 * without colons as RFC 3230 had it. False when the header names only other algorithms. */
static bool announced(const char *header, uint8_t out[SHA256_SIZE], bool *good)
{
    const char *at = header;

    while (strncasecmp(at, "sha-256=", 8) != 0) {
        at = strchr(at, ',');
        if (at == NULL)
            return false;
        at += 1 + strspn(at + 1, " \t");
    }
    at += 8;
    at += *at == ':';
    *good = base64_decode(at, strcspn(at, ":, \t"), out, SHA256_SIZE) == SHA256_SIZE;
    return true;
}

enum err digest_check(struct request *rq, const struct digest *actual)
{
    static const char *const names[] = {"content-digest", "digest", NULL};
    uint8_t wanted[SHA256_SIZE] = {0};
    bool good = true;

    for (const char *const *name = names; *name != NULL; name++) {
        const char *header = request_header(rq, *name);

        if (header == NULL || !announced(header, wanted, &good))
            continue;
        if (!good)
            return fail(rq, ERR_INVALID, "%s: sha-256 is not 32 bytes in base64", *name);
        if (memcmp(wanted, actual->bytes, SHA256_SIZE) != 0)
            return fail(rq, ERR_DIGEST, "the bytes received do not have the digest of %s", *name);
    }
    return OK;
}

enum err file_path_check(struct request *rq, const char *path)
{
    if (path_valid(path))
        return OK;
    rq->target = "path";
    return fail(rq, ERR_INVALID,
                "a file's path is 1 to 512 bytes of UTF-8: parts joined by '/', "
                "none empty, '.' or '..', without backslash or control character");
}

const char *hex_of(struct arena *a, const struct digest *d)
{
    char *hex = arena_alloc(a, 2 * SHA256_SIZE + 1);

    hex_encode(d->bytes, SHA256_SIZE, hex);
    return hex;
}

static enum err store_file(struct request *rq)
{
    struct version_file file = {.path = rq->args[3], .size = rq->upload->size};
    struct version v;
    enum err e;

    file.sha256 = hex_of(rq->arena, &rq->upload->sha256);
    TRY(version_lock_pending(rq, &v));
    request_object(rq, "%s/files/%s", version_path(rq->arena, &v), file.path);
    request_audit(rq, "sha256", json_string(file.sha256));
    e = version_add_file(rq->db, &v, &file, rq->upload->path);
    if (e == ERR_TOO_LARGE)
        return fail(rq, e, "a version has at most %d files", VERSION_FILES_MAX);
    TRY(e);
    request_status(rq, 201);
    return request_reply(rq, version_file_fields, &file);
}

/* PUT …/versions/{version}/files/{path+} */
enum err put_file(struct request *rq)
{
    request_object(rq, "%ss/%s/versions/%s/files/%s", asset_kind(rq), rq->args[1], rq->args[2],
                   rq->args[3]);
    TRY(file_path_check(rq, rq->args[3]));
    if (rq->upload == NULL || !rq->upload->complete)
        return fail(rq, ERR_INVALID, "the body is truncated: fewer bytes came than were announced");
    TRY(digest_check(rq, &rq->upload->sha256));
    return request_tx(rq, store_file);
}

/* GET …/versions/{version}/files */
enum err get_files(struct request *rq)
{
    struct version v;
    struct page page;
    struct rows rows;

    TRY(page_read(rq, &page));
    TRY(version_of_path(rq, &v));
    TRY(version_files_after(rq->db, v.id, page.after, page.limit + 1, &rows));
    return page_reply(rq, &page, version_file_fields, sizeof(struct version_file), &rows,
                      offsetof(struct version_file, path));
}

static const char digits[] = "0123456789ABCDEF";

/* The file's own name for a browser (RFC 6266, RFC 8187): never shown, always saved. */
static const char *disposition(struct arena *a, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    char *out = arena_alloc(a, 3 * strlen(name) + 1);
    size_t n = 0;

    for (const unsigned char *c = (const unsigned char *)name; *c != '\0'; c++) {
        if ((*c >= '0' && *c <= '9') || (*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z') ||
            *c == '-' || *c == '.' || *c == '_') {
            out[n++] = (char)*c;
            continue;
        }
        out[n++] = '%';
        out[n++] = digits[*c >> 4];
        out[n++] = digits[*c & 15];
    }
    return arena_printf(a, "attachment; filename*=UTF-8''%s", out);
}

static void describe(struct request *rq, const struct version_file *file)
{
    struct arena *a = rq->arena;
    uint8_t bytes[SHA256_SIZE];

    if (hex_decode(file->sha256, bytes, sizeof(bytes)))
        request_set_header(rq, "Content-Digest",
                           arena_printf(a, "sha-256=:%s:", base64_encode(a, bytes, sizeof(bytes))));
    request_set_header(rq, "ETag", arena_printf(a, "\"%s\"", file->sha256));
    request_set_header(rq, "Content-Disposition", disposition(a, file->path));
}

/* GET …/versions/{version}/files/{path+} */
enum err get_file(struct request *rq)
{
    struct version_file file;
    struct version v;
    int fd;

    TRY(version_of_path(rq, &v));
    request_object(rq, "%s/files/%s", version_path(rq->arena, &v), rq->args[3]);
    TRY(version_file(rq->db, v.id, rq->args[3], &file));
    request_audit(rq, "sha256", json_string(file.sha256));
    TRY(blob_open(rq->caller.tenant_id, file.sha256, &fd));
    describe(rq, &file);
    return request_reply_file(rq, "application/octet-stream", fd, file.size);
}

/* DELETE …/versions/{version}/files/{path+} */
enum err delete_file(struct request *rq)
{
    struct version v;

    TRY(version_lock_pending(rq, &v));
    request_object(rq, "%s/files/%s", version_path(rq->arena, &v), rq->args[3]);
    TRY(version_remove_file(rq->db, &v, rq->args[3]));
    return request_reply_empty(rq);
}
