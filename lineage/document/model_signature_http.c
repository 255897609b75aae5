/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSF model signatures (predicate model_signing/signature/v1.0, method "key"): a Sigstore
 * bundle with a DSSE envelope, which model_signing verifies against the files and the public key.
 */
#include "lineage/canonical.h"
#include "lineage/document/dsse.h"
#include "lineage/document/model_key.h"
#include "lineage/document/record.h"
#include "lineage/graph/answer.h"
#include "lineage/routes.h"

#include <string.h>

enum { STATEMENT_MAX = 16 << 20 };

static void release_json(void *json)
{
    json_decref(json);
}

/* The files in the order of their names, and SHA-256 over their digests in that order. */
static json_t *resources(const json_t *version, char root[2 * SHA256_SIZE + 1])
{
    struct sha256 *hash = sha256_begin();
    json_t *list = json_array(), *file;
    struct digest d;
    size_t i;

    json_array_foreach(json_object_get(version, "files"), i, file)
    {
        if (hex_decode(record_text(file, "sha256"), d.bytes, SHA256_SIZE))
            sha256_add(hash, d.bytes, SHA256_SIZE);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "name", record_text(file, "path"),
                                              "algorithm", "sha256", "digest",
                                              record_text(file, "sha256")));
    }
    d = sha256_end(hash);
    hex_encode(d.bytes, SHA256_SIZE, root);
    return list;
}

static json_t *statement(const json_t *version)
{
    char root[2 * SHA256_SIZE + 1];
    json_t *files = resources(version, root);

    return json_pack("{s:s, s:[{s:s, s:{s:s}}], s:s, s:{s:{s:s, s:s, s:b, s:[]}, s:o}}", "_type",
                     "https://in-toto.io/Statement/v1", "subject", "name",
                     record_text(version, "name"), "digest", "sha256", root, "predicateType",
                     "https://model_signing/signature/v1.0", "predicate", "serialization", "method",
                     "files", "hash_type", "sha256", "allow_symlinks", 0, "ignore_paths",
                     "resources", files);
}

static enum err sign(struct request *rq, const struct text *payload, json_t **out)
{
    static const char type[] = "application/vnd.in-toto+json";
    struct text *pae = answer_text(rq);
    uint8_t signature[MODEL_SIGNATURE_MAX];
    char hint[2 * SHA256_SIZE + 1];
    struct model_key key;
    struct digest d;
    size_t length;

    TRY(model_key_get(rq->db, &key));
    dsse_pae(pae, type, payload->data, payload->length);
    TRY(model_key_sign(rq->db, &key, pae, signature, &length));
    d = sha256_of(key.public, strlen(key.public));
    hex_encode(d.bytes, SHA256_SIZE, hint);
    *out = json_pack("{s:s, s:{s:{s:s}, s:[]}, s:{s:s, s:s, s:[{s:s, s:s}]}}", "mediaType",
                     "application/vnd.dev.sigstore.bundle.v0.3+json", "verificationMaterial",
                     "publicKey", "hint", hint, "tlogEntries", "dsseEnvelope", "payload",
                     base64_encode(rq->arena, payload->data, payload->length), "payloadType", type,
                     "signatures", "sig", base64_encode(rq->arena, signature, length), "keyid", "");
    return OK;
}

/* POST /v1/projects/{project}/models/{name}/versions/{version}/signature */
enum err post_model_signature(struct request *rq)
{
    struct text *payload = answer_text(rq), *out = answer_text(rq);
    json_t *record, *said, *bundle;
    uint64_t number;

    if (!uint_parse(rq->args[2], INT32_MAX, &number))
        return ERR_NOT_FOUND;
    request_object(rq, "models/%s/versions/%s", rq->args[1], rq->args[2]);
    TRY(record_of(rq->db, rq->args[0], rq->args[1], (int64_t)number, &record));
    said = statement(json_object_get(record, "version"));
    arena_own(rq->arena, said, release_json);
    TRY(canonical_json(said, payload));
    TRY(sign(rq, payload, &bundle));
    arena_own(rq->arena, bundle, release_json);
    TRY(canonical_json(bundle, out));
    return answer_reply(rq, out);
}

/* GET /v1/model-signing-key: PEM */
enum err get_model_signing_key(struct request *rq)
{
    struct model_key key;

    enum err e = model_key_find(rq->db, &key);

    if (e == ERR_NOT_FOUND)
        return fail(rq, e, "nothing has been signed yet");
    TRY(e);
    return request_reply_bytes(rq, "application/x-pem-file", key.public, strlen(key.public));
}
