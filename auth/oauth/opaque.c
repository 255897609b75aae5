/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/oauth/opaque.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

enum { UUID_BYTES = 16, SECRET_BYTES = 32, BYTES = 2 * UUID_BYTES + SECRET_BYTES, HEX = 32 };

static struct digest own_key;

void opaque_start(const uint8_t *key)
{
    static const char purpose[] = "chancery: codes, refresh tokens and forms";

    own_key = hmac_sha256(key, SEAL_KEY, purpose, sizeof(purpose) - 1);
}

static void id_pack(const char *id, uint8_t out[UUID_BYTES])
{
    char hex[HEX + 1] = "";
    size_t n = 0;

    for (; *id != '\0' && n < HEX; id++)
        if (*id != '-')
            hex[n++] = *id;
    if (!hex_decode(hex, out, UUID_BYTES))
        memset(out, 0, UUID_BYTES);
}

static void id_unpack(const uint8_t in[UUID_BYTES], char out[ID_SIZE])
{
    char hex[HEX + 1];

    hex_encode(in, UUID_BYTES, hex);
    (void)snprintf(out, ID_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
                   hex + 20);
}

static void write_out(struct arena *a, const char *prefix, const uint8_t secret[SECRET_BYTES],
                      struct opaque *out)
{
    uint8_t bytes[BYTES];

    id_pack(out->tenant_id, bytes);
    id_pack(out->id, bytes + UUID_BYTES);
    memcpy(bytes + (size_t)2 * UUID_BYTES, secret, SECRET_BYTES);
    out->text = arena_printf(a, "%s%s", prefix, base64url_encode(a, bytes, sizeof(bytes)));
    out->hash = sha256_of(out->text, strlen(out->text));
    OPENSSL_cleanse(bytes, sizeof(bytes));
}

void opaque_make(struct arena *a, const char *prefix, const char *tenant_id, struct opaque *out)
{
    uint8_t secret[SECRET_BYTES];

    id_new(out->id);
    (void)snprintf(out->tenant_id, ID_SIZE, "%s", tenant_id);
    random_bytes(secret, sizeof(secret));
    write_out(a, prefix, secret, out);
    OPENSSL_cleanse(secret, sizeof(secret));
}

void opaque_derive(struct arena *a, const char *prefix, const char *tenant_id, const char *id,
                   struct opaque *out)
{
    const char *what = arena_printf(a, "%s %s %s", prefix, tenant_id, id);
    struct digest secret = hmac_sha256(own_key.bytes, SHA256_SIZE, what, strlen(what));

    (void)snprintf(out->id, ID_SIZE, "%s", id);
    (void)snprintf(out->tenant_id, ID_SIZE, "%s", tenant_id);
    write_out(a, prefix, secret.bytes, out);
    OPENSSL_cleanse(&secret, sizeof(secret));
}

bool opaque_parse(const char *prefix, const char *text, struct opaque *out)
{
    uint8_t bytes[BYTES];
    size_t length = strlen(prefix);

    if (strlen(text) > OPAQUE_MAX || strncmp(text, prefix, length) != 0 ||
        base64url_decode(text + length, strlen(text) - length, bytes, BYTES) != BYTES)
        return false;
    id_unpack(bytes, out->tenant_id);
    id_unpack(bytes + UUID_BYTES, out->id);
    out->text = text;
    out->hash = sha256_of(text, strlen(text));
    return id_valid(out->tenant_id) && id_valid(out->id);
}

const char *opaque_mac(struct arena *a, const char *purpose, const char *text)
{
    const char *what = arena_printf(a, "%s %s", purpose, text);
    struct digest mac = hmac_sha256(own_key.bytes, SHA256_SIZE, what, strlen(what));

    return base64url_encode(a, mac.bytes, SHA256_SIZE);
}

void opaque_key(const char *purpose, uint8_t out[SEAL_KEY])
{
    char what[64];
    struct digest d;

    (void)snprintf(what, sizeof(what), "key: %s", purpose);
    d = hmac_sha256(own_key.bytes, SHA256_SIZE, what, strlen(what));
    memcpy(out, d.bytes, SEAL_KEY);
    OPENSSL_cleanse(&d, sizeof(d));
}
