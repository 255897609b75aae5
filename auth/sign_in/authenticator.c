/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/sign_in/authenticator.h"

#include <openssl/err.h>
#include <string.h>

enum {
    FLAG_PRESENT = 1,
    FLAG_VERIFIED = 4,
    FLAG_ELIGIBLE = 8,
    FLAG_BACKED_UP = 16,
    FLAG_ATTESTED = 64,
    FLAG_EXTENSIONS = 128,
    HEAD = SHA256_SIZE + 5,
    AAGUID = 16,
    SIGNED_MAX = 65536
};

const int64_t cose_offered[COSE_COUNT] = {COSE_EDDSA, COSE_ES256, COSE_RS256};

static enum err refuse(const char **why, const char *reason)
{
    *why = reason;
    return ERR_INVALID;
}

/* §6.5.1: AAGUID, the id's length and the id, the key; *at is moved behind it. */
static enum err read_attested(const uint8_t **at, const uint8_t *end,
                              struct authenticator_data *out, const char **why)
{
    const uint8_t *p = *at;

    if (end - p < AAGUID + 2)
        return refuse(why, "the credential data is cut off");
    p += AAGUID;
    out->id_length = (size_t)p[0] << 8 | p[1];
    out->id = p + 2;
    if (out->id_length < CREDENTIAL_ID_MIN || out->id_length > CREDENTIAL_ID_MAX)
        return refuse(why, "the credential's id must have 16 to 1023 bytes");
    if (out->id_length > (size_t)(end - out->id))
        return refuse(why, "the credential's id is cut off");
    p = out->id + out->id_length;
    if (cbor_first(p, (size_t)(end - p), &out->key) != OK || cbor_type(out->key) != CBOR_MAP)
        return refuse(why, "the credential's key is no COSE key");
    *at = p + out->key.length;
    return OK;
}

static enum err read_extensions(const uint8_t **at, const uint8_t *end, const char **why)
{
    struct cbor extensions;

    if (cbor_first(*at, (size_t)(end - *at), &extensions) != OK ||
        cbor_type(extensions) != CBOR_MAP)
        return refuse(why, "the extension data is no CBOR map");
    *at += extensions.length;
    return OK;
}

enum err authenticator_data_read(const uint8_t *data, size_t length, struct authenticator_data *out,
                                 const char **why)
{
    const uint8_t *end = data + length;
    const uint8_t *at = data + HEAD;
    unsigned flags;

    if (length < HEAD)
        return refuse(why, "the authenticator data is cut off");
    flags = data[SHA256_SIZE];
    *out = (struct authenticator_data){
        .user_present = (flags & FLAG_PRESENT) != 0,
        .user_verified = (flags & FLAG_VERIFIED) != 0,
        .backup_eligible = (flags & FLAG_ELIGIBLE) != 0,
        .attested = (flags & FLAG_ATTESTED) != 0,
        .counter = (int64_t)((uint32_t)data[HEAD - 4] << 24 | (uint32_t)data[HEAD - 3] << 16 |
                             (uint32_t)data[HEAD - 2] << 8 | data[HEAD - 1]),
    };
    memcpy(out->rp_id_hash.bytes, data, SHA256_SIZE);
    if ((flags & FLAG_BACKED_UP) != 0 && !out->backup_eligible)
        return refuse(why, "a credential is backed up that cannot be");
    if (out->attested && read_attested(&at, end, out, why) != OK)
        return ERR_INVALID;
    if ((flags & FLAG_EXTENSIONS) != 0 && read_extensions(&at, end, why) != OK)
        return ERR_INVALID;
    return at == end ? OK : refuse(why, "bytes follow the authenticator data");
}

enum err attestation_read(const void *data, size_t length, struct attestation *out,
                          const char **why)
{
    struct cbor all;
    struct cbor auth_data;

    if (cbor_first(data, length, &all) != OK)
        return refuse(why, "the attestation object is not canonical CBOR");
    if (all.length != length)
        return refuse(why, "bytes follow the attestation object");
    if (cbor_count(all) != 3 || !cbor_under_text(all, "fmt", &out->format) ||
        !cbor_under_text(all, "attStmt", &out->statement) ||
        !cbor_under_text(all, "authData", &auth_data) || cbor_type(out->format) != CBOR_TEXT ||
        cbor_type(out->statement) != CBOR_MAP || !cbor_bytes(auth_data, &out->bytes, &out->length))
        return refuse(why, "the attestation object must have fmt, attStmt and authData");
    if (authenticator_data_read(out->bytes, out->length, &out->data, why) != OK)
        return ERR_INVALID;
    return out->data.attested ? OK : refuse(why, "the authenticator data has no credential");
}

/* §8.2 with self attestation. */
static enum err check_packed(const struct attestation *t, EVP_PKEY *key, int64_t alg,
                             const struct digest *client_data, const char **why)
{
    const struct signed_data what = {t->bytes, t->length, client_data};
    struct cbor stated;
    struct cbor sig;
    const uint8_t *signature;
    size_t length;
    int64_t value;

    if (cbor_under_text(t->statement, "x5c", &stated))
        return refuse(why, "attestation with certificates is not taken");
    if (cbor_count(t->statement) != 2 || !cbor_under_text(t->statement, "alg", &stated) ||
        !cbor_int(stated, &value) || !cbor_under_text(t->statement, "sig", &sig) ||
        !cbor_bytes(sig, &signature, &length))
        return refuse(why, "the attestation statement must have alg and sig");
    if (value != alg)
        return refuse(why, "the attestation's algorithm is not that of the key");
    return authenticator_signed(key, alg, &what, signature, length)
               ? OK
               : refuse(why, "the attestation's signature does not fit");
}

enum err attestation_check(const struct attestation *t, EVP_PKEY *key, int64_t alg,
                           const struct digest *client_data, const char **why)
{
    if (cbor_text_is(t->format, "packed"))
        return check_packed(t, key, alg, client_data, why);
    if (!cbor_text_is(t->format, "none"))
        return refuse(why, "the attestation's format must be none or packed");
    return cbor_count(t->statement) == 0 ? OK
                                         : refuse(why, "attestation none has an empty statement");
}

static bool int_under(struct cbor map, int64_t key, int64_t *out)
{
    struct cbor value;

    return cbor_under_int(map, key, &value) && cbor_int(value, out);
}

static bool bytes_under(struct cbor map, int64_t key, const uint8_t **out, size_t *length)
{
    struct cbor value;

    return cbor_under_int(map, key, &value) && cbor_bytes(value, out, length);
}

/* RFC 9053 §7: labels of COSE keys. */
enum { KTY = 1, ALG = 3, CRV = -1, X = -2, Y = -3, N = -1, E = -2 };
enum { KTY_OKP = 1, KTY_EC2 = 2, KTY_RSA = 3, CRV_P256 = 1, CRV_ED25519 = 6 };

static EVP_PKEY *curve_key(struct cbor cose, int64_t kty)
{
    const uint8_t *x;
    const uint8_t *y;
    size_t x_length;
    size_t y_length;
    int64_t curve;
    bool two = kty == KTY_EC2;

    if (cbor_count(cose) != (two ? 5 : 4) || !int_under(cose, CRV, &curve) ||
        curve != (two ? CRV_P256 : CRV_ED25519) || !bytes_under(cose, X, &x, &x_length) ||
        x_length != CURVE_BYTES)
        return NULL;
    if (!two)
        return public_key_ed25519(x);
    return bytes_under(cose, Y, &y, &y_length) && y_length == CURVE_BYTES ? public_key_p256(x, y)
                                                                          : NULL;
}

static EVP_PKEY *rsa_key(struct cbor cose)
{
    const uint8_t *n;
    const uint8_t *e;
    size_t n_length;
    size_t e_length;

    return cbor_count(cose) == 4 && bytes_under(cose, N, &n, &n_length) &&
                   bytes_under(cose, E, &e, &e_length)
               ? public_key_rsa(n, n_length, e, e_length)
               : NULL;
}

enum err cose_key_read(struct cbor cose, EVP_PKEY **key, int64_t *alg, const char **why)
{
    int64_t kty;
    int64_t wanted;

    if (!int_under(cose, KTY, &kty) || !int_under(cose, ALG, alg))
        return refuse(why, "the key does not say its type and algorithm");
    if (*alg != COSE_ES256 && *alg != COSE_EDDSA && *alg != COSE_RS256)
        return refuse(why, "the key is for an algorithm that was not offered");
    wanted = *alg == COSE_ES256 ? KTY_EC2 : *alg == COSE_EDDSA ? KTY_OKP : KTY_RSA;
    if (kty != wanted)
        return refuse(why, "the key's type does not go with its algorithm");
    *key = kty == KTY_RSA ? rsa_key(cose) : curve_key(cose, kty);
    return *key != NULL ? OK : refuse(why, "the key is malformed");
}

bool authenticator_signed(EVP_PKEY *key, int64_t alg, const struct signed_data *what,
                          const uint8_t *signature, size_t signature_length)
{
    static _Thread_local uint8_t all[SIGNED_MAX + SHA256_SIZE];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = false;

    if (context != NULL && what->length <= SIGNED_MAX) {
        memcpy(all, what->bytes, what->length);
        memcpy(all + what->length, what->client_data->bytes, SHA256_SIZE);
        good = EVP_DigestVerifyInit(context, NULL, alg == COSE_EDDSA ? NULL : EVP_sha256(), NULL,
                                    key) == 1 &&
               EVP_DigestVerify(context, signature, signature_length, all,
                                what->length + SHA256_SIZE) == 1;
    }
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return good;
}
