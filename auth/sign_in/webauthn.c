/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/sign_in/webauthn.h"

#include "auth/sign_in/authenticator.h"
#include "core/text.h"

#include <arpa/inet.h>
#include <openssl/x509.h>
#include <string.h>

enum { CLIENT_DATA_MAX = 8192, RP_ID_MAX = 253, DER_MAX = 4096 };

static enum err refuse(const char **why, const char *reason)
{
    *why = reason;
    return ERR_CREDENTIALS;
}

static bool is_address(const char *host)
{
    struct in6_addr any;

    return *host == '[' || inet_pton(AF_INET, host, &any) == 1;
}

/* Browsers leave out the port that https has by itself, and write hosts in lower case. */
enum err webauthn_site(struct arena *a, const char *url, struct webauthn_rules *out)
{
    static const char scheme[] = "https://";
    const char *host = url + sizeof(scheme) - 1;
    size_t length;
    size_t port;

    if (strncmp(url, scheme, sizeof(scheme) - 1) != 0)
        return ERR_CONFLICT;
    length = strcspn(host, ":/?#");
    port = strcspn(host + length, "/?#");
    out->rp_id = arena_copy(a, host, length);
    if (length == 0 || length > RP_ID_MAX || is_address(host) || is_address(out->rp_id))
        return ERR_CONFLICT;
    if (port == 4 && strncmp(host + length, ":443", 4) == 0)
        port = 0;
    out->origin = arena_printf(a, "%s%.*s", scheme, (int)(length + port), host);
    return OK;
}

/* A member of the response, decoded. */
struct bytes {
    const uint8_t *data;
    size_t length;
};

static bool take(struct arena *a, const json_t *from, const char *name, struct bytes *out)
{
    const json_t *value = json_object_get(from, name);
    size_t size = json_string_length(value);
    uint8_t *bytes;
    long n;

    if (size == 0 || size > CREDENTIAL_JSON_MAX)
        return false;
    bytes = arena_alloc(a, size);
    n = base64url_decode(json_string_value(value), size, bytes, size);
    *out = (struct bytes){.data = bytes, .length = n < 0 ? 0 : (size_t)n};
    return n > 0;
}

static bool text_is(const json_t *json, const char *name, const char *wanted)
{
    const json_t *value = json_object_get(json, name);

    return json_is_string(value) && json_string_length(value) == strlen(wanted) &&
           strcmp(json_string_value(value), wanted) == 0;
}

static enum err check_client(const json_t *client, const char *type, const struct webauthn_rules *r,
                             const char **why)
{
    const json_t *cross = json_object_get(client, "crossOrigin");

    if (!json_is_object(client))
        return refuse(why, "the client data is no JSON object");
    if (!text_is(client, "type", type))
        return refuse(why, "the client data is of another ceremony");
    if (!text_is(client, "challenge", r->challenge))
        return refuse(why, "the challenge is not the one that was sent");
    if (!text_is(client, "origin", r->origin))
        return refuse(why, "the origin is not this service");
    if ((cross != NULL && !json_is_false(cross)) || json_object_get(client, "topOrigin") != NULL)
        return refuse(why, "the page was inside one of another site");
    return OK;
}

/* §5.8.1 with steps 5 to 12 of §7.1 and §7.2. */
static enum err read_client(struct arena *a, const json_t *response, const char *type,
                            const struct webauthn_rules *r, struct digest *hash, const char **why)
{
    struct bytes raw;
    json_t *client;
    enum err e;

    if (!take(a, response, "clientDataJSON", &raw) || raw.length > CLIENT_DATA_MAX)
        return refuse(why, "clientDataJSON is missing or malformed");
    *hash = sha256_of(raw.data, raw.length);
    client = json_loadb((const char *)raw.data, raw.length, JSON_REJECT_DUPLICATES, NULL);
    e = check_client(client, type, r, why);
    json_decref(client);
    return e;
}

static enum err check_data(const struct authenticator_data *d, const struct webauthn_rules *r,
                           const char **why)
{
    struct digest wanted = sha256_of(r->rp_id, strlen(r->rp_id));

    if (!digest_equal(&wanted, &d->rp_id_hash))
        return refuse(why, "the credential is for another relying party");
    if (!d->user_present)
        return refuse(why, "nobody touched the authenticator");
    if (!d->user_verified)
        return refuse(why, "the authenticator did not verify who uses it");
    return OK;
}

bool webauthn_id(struct arena *a, const json_t *credential, const uint8_t **id, size_t *length)
{
    struct bytes found;

    if (!text_is(credential, "type", "public-key") || !take(a, credential, "id", &found) ||
        found.length > CREDENTIAL_ID_MAX)
        return false;
    *id = found.data;
    *length = found.length;
    return true;
}

/* The key as it is kept. */
static bool keep_key(struct arena *a, EVP_PKEY *key, struct webauthn_credential *out)
{
    int size = i2d_PUBKEY(key, NULL);
    unsigned char *to;

    if (size <= 0 || size > DER_MAX)
        return false;
    out->key = to = arena_alloc(a, (size_t)size);
    out->key_length = (size_t)size;
    return i2d_PUBKEY(key, &to) == size;
}

static enum err take_key(struct arena *a, const struct attestation *t,
                         const struct digest *client_data, struct webauthn_credential *out,
                         const char **why)
{
    EVP_PKEY *key = NULL;
    bool good = cose_key_read(t->data.key, &key, &out->algorithm, why) == OK &&
                attestation_check(t, key, out->algorithm, client_data, why) == OK;

    if (good && !keep_key(a, key, out)) {
        *why = "the key is malformed";
        good = false;
    }
    EVP_PKEY_free(key);
    return good ? OK : ERR_CREDENTIALS;
}

enum err webauthn_register(struct arena *a, const struct webauthn_rules *r,
                           const json_t *credential, struct webauthn_credential *out,
                           const char **why)
{
    const json_t *response = json_object_get(credential, "response");
    struct attestation t;
    struct digest client_data;
    struct bytes object;

    *out = (struct webauthn_credential){.id = NULL};
    if (!webauthn_id(a, credential, &out->id, &out->id_length))
        return refuse(why, "id or type of the credential is missing or malformed");
    TRY(read_client(a, response, "webauthn.create", r, &client_data, why));
    if (!take(a, response, "attestationObject", &object))
        return refuse(why, "attestationObject is missing or malformed");
    if (attestation_read(object.data, object.length, &t, why) != OK)
        return ERR_CREDENTIALS;
    TRY(check_data(&t.data, r, why));
    if (t.data.id_length != out->id_length || memcmp(t.data.id, out->id, out->id_length) != 0)
        return refuse(why, "the credential's id is not that of its authenticator data");
    out->counter = t.data.counter;
    out->backup_eligible = t.data.backup_eligible;
    return take_key(a, &t, &client_data, out, why);
}

static bool fits(const struct webauthn_credential *known, const struct signed_data *what,
                 const struct bytes *signature)
{
    const unsigned char *der = known->key;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &der, (long)known->key_length);
    bool good = key != NULL && authenticator_signed(key, known->algorithm, what, signature->data,
                                                    signature->length);

    EVP_PKEY_free(key);
    return good;
}

/* A handle need not be sent for a second factor, but if it is, it is the person's. */
static bool handle_fits(const json_t *response, const struct webauthn_rules *r)
{
    const json_t *handle = json_object_get(response, "userHandle");

    return handle == NULL || json_is_null(handle) ||
           text_is(response, "userHandle", r->user_handle);
}

enum err webauthn_assert(struct arena *a, const struct webauthn_rules *r, const json_t *credential,
                         const struct webauthn_credential *known, struct webauthn_use *out,
                         const char **why)
{
    const json_t *response = json_object_get(credential, "response");
    struct authenticator_data data;
    struct digest client_data;
    struct bytes raw;
    struct bytes signature;

    if (!handle_fits(response, r))
        return refuse(why, "userHandle is somebody else's");
    TRY(read_client(a, response, "webauthn.get", r, &client_data, why));
    if (!take(a, response, "authenticatorData", &raw) ||
        !take(a, response, "signature", &signature))
        return refuse(why, "authenticatorData or signature is missing or malformed");
    if (authenticator_data_read(raw.data, raw.length, &data, why) != OK)
        return ERR_CREDENTIALS;
    if (data.attested)
        return refuse(why, "there is a new credential in a sign-in");
    TRY(check_data(&data, r, why));
    if (data.backup_eligible != known->backup_eligible)
        return refuse(why, "the credential has changed whether it can be backed up");
    if (!fits(known, &(struct signed_data){raw.data, raw.length, &client_data}, &signature))
        return refuse(why, "the signature does not fit");
    *out = (struct webauthn_use){.counter = data.counter,
                                 .cloned = (data.counter != 0 || known->counter != 0) &&
                                           data.counter <= known->counter};
    return OK;
}
