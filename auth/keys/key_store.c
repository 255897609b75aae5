/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/keys/key.h"

#include "auth/auth.h"
#include "core/log.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS_MAX = 64, DER_MAX = 512, KID_BYTES = 12, UNKNOWN_MAX = 32, UNKNOWN_MS = 10000 };
enum { LOOKUPS_PER_SECOND = 20, COORDINATE = 32, SEALED_TEXT = 2 * DER_MAX };

struct signing_key {
    char kid[KID_SIZE];
    EVP_PKEY *key;
    int64_t signs_until_ms;
};

/* Newest first. */
static struct ring {
    pthread_rwlock_t lock;
    const uint8_t *sealing;
    struct signing_key keys[KEYS_MAX];
    size_t count;
} ring = {.lock = PTHREAD_RWLOCK_INITIALIZER};

/* Ids that were looked for in vain, so that made-up ones cost a statement only now and then. */
static struct {
    pthread_mutex_t lock;
    struct {
        char kid[KID_SIZE];
        int64_t until_ms;
    } ids[UNKNOWN_MAX];
    size_t next;
    int64_t second;
    int lookups;
} unknown = {.lock = PTHREAD_MUTEX_INITIALIZER};

void keys_start(const uint8_t *key)
{
    ring.sealing = key;
}

static void empty(struct signing_key *keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        EVP_PKEY_free(keys[i].key);
}

void keys_stop(void)
{
    (void)pthread_rwlock_wrlock(&ring.lock);
    empty(ring.keys, ring.count);
    ring.count = 0;
    (void)pthread_rwlock_unlock(&ring.lock);
}

struct key_row {
    const char *kid;
    const char *sealed; /* hexadecimal */
    int64_t signs_until_ms;
};

static const struct field key_columns[] = {
    TEXT(struct key_row, kid, KID_SIZE),
    TEXT(struct key_row, sealed, SEALED_TEXT),
    INT(struct key_row, signs_until_ms, 0, INT64_MAX),
    FIELDS_END,
};

static const char *purpose(struct arena *a, const char *kid)
{
    return arena_printf(a, "signing key %s", kid);
}

/* NULL (logged) when it was not sealed by us. */
static EVP_PKEY *open_key(struct arena *a, const struct key_row *row)
{
    uint8_t sealed[DER_MAX];
    uint8_t der[DER_MAX];
    const unsigned char *at = der;
    size_t length = strlen(row->sealed) / 2;
    EVP_PKEY *key = NULL;

    if (length <= sizeof(sealed) && length > SEAL_OVERHEAD &&
        hex_decode(row->sealed, sealed, length) &&
        unseal(ring.sealing, purpose(a, row->kid), sealed, length, der) == OK)
        key = d2i_AutoPrivateKey(NULL, &at, (long)(length - SEAL_OVERHEAD));
    OPENSSL_cleanse(der, sizeof(der));
    ERR_clear_error();
    if (key == NULL)
        log_world("signing key %s does not open under our key file; it is not used", row->kid);
    return key;
}

QUERY(keys_read_sql,
      "SELECT kid, sealed, (extract(epoch FROM signs_until) * 1000)::bigint AS signs_until_ms"
      " FROM signing_key WHERE retired_at > now() ORDER BY created_at DESC, kid LIMIT 64");

struct key_rows {
    struct db *db;
    struct rows rows;
};

static enum err read_keys(void *arg)
{
    struct key_rows *k = arg;

    return db_list(k->db, &keys_read_sql, key_columns, sizeof(struct key_row), &k->rows, NO_PARAMS);
}

enum err keys_renew(struct db *db)
{
    struct key_rows k = {.db = db};
    enum err e = db_tx(db, TX_POINT, NULL, read_keys, &k);
    struct signing_key keys[KEYS_MAX] = {{.key = NULL}};
    struct signing_key old[KEYS_MAX];
    size_t count = 0;
    size_t old_count;

    if (e != OK)
        return e;
    for (size_t i = 0; i < k.rows.count && count < KEYS_MAX; i++) {
        const struct key_row *row = (const struct key_row *)k.rows.items + i;

        (void)snprintf(keys[count].kid, KID_SIZE, "%s", row->kid);
        keys[count].signs_until_ms = row->signs_until_ms;
        keys[count].key = open_key(db->arena, row);
        count += keys[count].key != NULL;
    }
    (void)pthread_rwlock_wrlock(&ring.lock);
    old_count = ring.count;
    memcpy(old, ring.keys, sizeof(old));
    memcpy(ring.keys, keys, sizeof(keys));
    ring.count = count;
    (void)pthread_rwlock_unlock(&ring.lock);
    empty(old, old_count);
    if (old_count > count)
        auth_tokens_forget();
    return OK;
}

struct new_key {
    struct db *db;
    char kid[KID_SIZE];
    uint8_t public[DER_MAX];
    uint8_t sealed[DER_MAX];
    size_t public_length;
    size_t sealed_length;
};

QUERY(key_insert_sql, "INSERT INTO signing_key (kid, public, sealed, signs_until, retired_at)"
                      " VALUES ($1, $2, $3, now() + interval '24 hours',"
                      " now() + interval '26 hours')");
QUERY(keys_sweep_sql, "DELETE FROM signing_key WHERE retired_at < now() - interval '1 hour'");

static enum err insert_key(void *arg)
{
    const struct new_key *k = arg;

    TRY(db_defer_any(k->db, &keys_sweep_sql, NO_PARAMS));
    return db_defer(k->db, &key_insert_sql,
                    PARAMS(P_TEXT(k->kid), P_BYTES(k->public, k->public_length),
                           P_BYTES(k->sealed, k->sealed_length)));
}

static enum err seal_key(struct new_key *k, EVP_PKEY *key)
{
    unsigned char *public = NULL;
    unsigned char *private = NULL;
    int public_length = i2d_PUBKEY(key, &public);
    int private_length = i2d_PrivateKey(key, &private);
    enum err e = ERR_INTERNAL;

    if (public_length > 0 && public_length <= DER_MAX && private_length > 0 &&
        private_length <= DER_MAX - SEAL_OVERHEAD) {
        memcpy(k->public, public, (size_t)public_length);
        k->public_length = (size_t)public_length;
        k->sealed_length = (size_t)private_length + SEAL_OVERHEAD;
        e = seal(ring.sealing, purpose(k->db->arena, k->kid), private, (size_t)private_length,
                 k->sealed);
    }
    OPENSSL_free(public);
    OPENSSL_clear_free(private, private_length < 0 ? 0 : (size_t)private_length);
    return e;
}

enum err auth_keys_rotate(struct db *db)
{
    struct new_key k = {.db = db};
    uint8_t bytes[KID_BYTES];
    EVP_PKEY *key = EVP_EC_gen("P-256");
    enum err e;

    if (key == NULL)
        return ERR_INTERNAL;
    random_bytes(bytes, sizeof(bytes));
    (void)snprintf(k.kid, sizeof(k.kid), "%s", base64url_encode(db->arena, bytes, sizeof(bytes)));
    e = seal_key(&k, key);
    EVP_PKEY_free(key);
    if (e == OK)
        e = db_tx(db, TX_WRITE, NULL, insert_key, &k);
    return e == OK ? keys_renew(db) : e;
}

static EVP_PKEY *hold(EVP_PKEY *key)
{
    return EVP_PKEY_up_ref(key) == 1 ? key : NULL;
}

static EVP_PKEY *current(char kid[KID_SIZE])
{
    EVP_PKEY *key = NULL;

    (void)pthread_rwlock_rdlock(&ring.lock);
    if (ring.count > 0 && ring.keys[0].signs_until_ms > time_now_ms()) {
        memcpy(kid, ring.keys[0].kid, KID_SIZE);
        key = hold(ring.keys[0].key);
    }
    (void)pthread_rwlock_unlock(&ring.lock);
    return key;
}

enum err keys_signer(struct db *db, EVP_PKEY **key, char kid[KID_SIZE])
{
    enum err e = OK;

    *key = current(kid);
    if (*key == NULL && (e = keys_renew(db)) == OK)
        *key = current(kid);
    if (e == OK && *key == NULL && (e = auth_keys_rotate(db)) == OK)
        *key = current(kid);
    return e == OK && *key == NULL ? ERR_INTERNAL : e;
}

static EVP_PKEY *find(const char *kid)
{
    EVP_PKEY *key = NULL;

    (void)pthread_rwlock_rdlock(&ring.lock);
    for (size_t i = 0; i < ring.count && key == NULL; i++)
        if (strcmp(ring.keys[i].kid, kid) == 0)
            key = hold(ring.keys[i].key);
    (void)pthread_rwlock_unlock(&ring.lock);
    return key;
}

/* May the table be asked for this id? Not twice within UNKNOWN_MS, and for few ids a second. */
static bool may_ask(const char *kid)
{
    int64_t now = time_steady_ms();
    bool may;

    (void)pthread_mutex_lock(&unknown.lock);
    if (unknown.second != now / 1000)
        unknown.lookups = 0;
    unknown.second = now / 1000;
    may = unknown.lookups < LOOKUPS_PER_SECOND;
    for (size_t i = 0; i < UNKNOWN_MAX; i++)
        if (now < unknown.ids[i].until_ms && strcmp(unknown.ids[i].kid, kid) == 0)
            may = false;
    if (may) {
        unknown.lookups++;
        (void)snprintf(unknown.ids[unknown.next].kid, KID_SIZE, "%s", kid);
        unknown.ids[unknown.next].until_ms = now + UNKNOWN_MS;
        unknown.next = (unknown.next + 1) % UNKNOWN_MAX;
    }
    (void)pthread_mutex_unlock(&unknown.lock);
    return may;
}

EVP_PKEY *keys_verifier(void *db, const char *kid)
{
    EVP_PKEY *key = strlen(kid) == KID_SIZE - 1 ? find(kid) : NULL;

    if (key != NULL || strlen(kid) != KID_SIZE - 1 || !may_ask(kid) || keys_renew(db) != OK)
        return key;
    return find(kid);
}

/* RFC 7518 §6.2.1. */
static json_t *jwk(struct arena *a, const struct signing_key *k)
{
    uint8_t point[1 + 2 * COORDINATE];
    size_t length = 0;

    if (EVP_PKEY_get_octet_string_param(k->key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point),
                                        &length) != 1 ||
        length != sizeof(point) || point[0] != 4)
        return NULL;
    return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "kty", "EC", "crv", "P-256", "alg", "ES256",
                     "use", "sig", "kid", k->kid, "x", base64url_encode(a, point + 1, COORDINATE),
                     "y", base64url_encode(a, point + 1 + COORDINATE, COORDINATE));
}

enum err keys_jwks(struct db *db, json_t **out)
{
    char kid[KID_SIZE];
    EVP_PKEY *key;
    json_t *list;

    TRY(keys_renew(db));
    TRY(keys_signer(db, &key, kid)); /* a set is never empty */
    EVP_PKEY_free(key);
    list = json_array();
    (void)pthread_rwlock_rdlock(&ring.lock);
    for (size_t i = 0; i < ring.count; i++)
        json_array_append_new(list, jwk(db->arena, &ring.keys[i]));
    (void)pthread_rwlock_unlock(&ring.lock);
    *out = json_pack("{s:o}", "keys", list);
    return OK;
}
