/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/document/model_key.h"

#include "lineage/sequencer.h"
#include "lineage/sequencer_step.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

/* Sealed bytes open only in the place they were made for. */
static const char *seal_place(struct db *db)
{
    return arena_printf(db->arena, "model-key:%s", db->tenant);
}

static const char *public_pem(struct arena *a, EVP_PKEY *pkey)
{
    BIO *bio = BIO_new(BIO_s_mem());
    const char *pem = NULL;
    char *data;

    if (bio != NULL && PEM_write_bio_PUBKEY(bio, pkey) == 1) {
        long length = BIO_get_mem_data(bio, &data);

        pem = arena_copy(a, data, (size_t)length);
    }
    BIO_free(bio);
    return pem;
}

static enum err make(struct db *db, const uint8_t seal_key[SEAL_KEY], struct model_key *out)
{
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    uint8_t secret[MODEL_SECRET_MAX], *at = secret;
    int length = pkey == NULL ? -1 : i2d_PrivateKey(pkey, NULL);
    enum err e = ERR_INTERNAL;

    if (length > 0 && length <= MODEL_SECRET_MAX && i2d_PrivateKey(pkey, &at) == length) {
        out->public = public_pem(db->arena, pkey);
        out->sealed_length = (size_t)length + SEAL_OVERHEAD;
        e = out->public == NULL
                ? ERR_INTERNAL
                : seal(seal_key, seal_place(db), secret, (size_t)length, out->sealed);
    }
    OPENSSL_cleanse(secret, sizeof(secret));
    EVP_PKEY_free(pkey);
    return e;
}

QUERY(model_key_sql, "SELECT public, encode(sealed, 'hex') FROM model_key"
                     " WHERE tenant_id = current_tenant()");
/* Whoever comes second takes the first one's key. */
QUERY(model_key_put, "INSERT INTO model_key (tenant_id, public, sealed)"
                     " VALUES (current_tenant(), $1, $2) ON CONFLICT (tenant_id) DO NOTHING");

enum err model_key_find(struct db *db, struct model_key *out)
{
    PGresult *rows;

    TRY(db_rows(db, &model_key_sql, &rows, NO_PARAMS));
    if (PQntuples(rows) != 1)
        return ERR_NOT_FOUND;
    out->public = PQgetvalue(rows, 0, 0);
    out->sealed_length = (size_t)PQgetlength(rows, 0, 1) / 2;
    if (out->sealed_length > sizeof(out->sealed) ||
        !hex_decode(PQgetvalue(rows, 0, 1), out->sealed, out->sealed_length))
        return ERR_INTERNAL;
    return OK;
}

enum err model_key_get(struct db *db, struct model_key *out)
{
    const struct sequencer_place *place = sequencer_place();
    enum err e = model_key_find(db, out);

    if (e != ERR_NOT_FOUND)
        return e;
    if (place == NULL)
        return ERR_UNAVAILABLE;
    TRY(make(db, place->key, out));
    TRY(db_run(db, &model_key_put, NULL,
               PARAMS(P_TEXT(out->public), P_BYTES(out->sealed, out->sealed_length))));
    return model_key_find(db, out);
}

static enum err sign(EVP_PKEY *pkey, const struct text *bytes, uint8_t out[MODEL_SIGNATURE_MAX],
                     size_t *length)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool done;

    *length = MODEL_SIGNATURE_MAX;
    done = context != NULL && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, pkey) == 1 &&
           EVP_DigestSign(context, out, length, (const uint8_t *)bytes->data, bytes->length) == 1;
    EVP_MD_CTX_free(context);
    return done ? OK : ERR_INTERNAL;
}

enum err model_key_sign(struct db *db, const struct model_key *key, const struct text *bytes,
                        uint8_t out[MODEL_SIGNATURE_MAX], size_t *length)
{
    const struct sequencer_place *place = sequencer_place();
    uint8_t secret[MODEL_SECRET_MAX];
    const uint8_t *at = secret;
    EVP_PKEY *pkey = NULL;
    enum err e;

    if (place == NULL)
        return ERR_UNAVAILABLE;
    e = unseal(place->key, seal_place(db), key->sealed, key->sealed_length, secret);
    if (e == OK)
        pkey = d2i_AutoPrivateKey(NULL, &at, (long)(key->sealed_length - SEAL_OVERHEAD));
    OPENSSL_cleanse(secret, sizeof(secret));
    if (e == OK)
        e = pkey == NULL ? ERR_INTERNAL : sign(pkey, bytes, out, length);
    EVP_PKEY_free(pkey);
    return e;
}
