/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as CBOR, as an attestation object and as authenticator data: no crash, and whatever is
 * taken lies inside the bytes it came from. */
#include "auth/sign_in/authenticator.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void lies_inside(const uint8_t *data, size_t size, const uint8_t *part, size_t length)
{
    if (part < data || part > data + size || length > (size_t)(data + size - part))
        abort();
}

static void look_at(const uint8_t *data, size_t size)
{
    struct cbor item;
    struct cbor found;
    const uint8_t *bytes;
    size_t length;
    int64_t number;

    if (cbor_first(data, size, &item) != OK)
        return;
    lies_inside(data, size, item.data, item.length);
    if (cbor_type(item) > CBOR_SIMPLE || item.length == 0 || cbor_count(item) > item.length)
        abort();
    if (cbor_bytes(item, &bytes, &length))
        lies_inside(data, size, bytes, length);
    (void)cbor_int(item, &number);
    if (cbor_under_text(item, "fmt", &found) || cbor_under_int(item, 1, &found))
        lies_inside(item.data, item.length, found.data, found.length);
}

static void attest(const uint8_t *data, size_t size)
{
    const struct digest client_data = {.bytes = {0}};
    const char *why = NULL;
    struct attestation t;
    EVP_PKEY *key = NULL;
    int64_t alg = 0;
    enum err e = attestation_read(data, size, &t, &why);

    if (e != OK && why == NULL)
        abort();
    if (e != OK)
        return;
    lies_inside(data, size, t.bytes, t.length);
    lies_inside(t.bytes, t.length, t.data.id, t.data.id_length);
    lies_inside(t.bytes, t.length, t.data.key.data, t.data.key.length);
    if (cose_key_read(t.data.key, &key, &alg, &why) == OK &&
        attestation_check(&t, key, alg, &client_data, &why) != OK && why == NULL)
        abort();
    EVP_PKEY_free(key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct authenticator_data d;
    const char *why = NULL;
    uint8_t *own = malloc(size == 0 ? 1 : size); /* so that reading past the end is seen */

    if (own == NULL)
        return 0;
    if (size > 0)
        memcpy(own, data, size);
    look_at(own, size);
    attest(own, size);
    if (authenticator_data_read(own, size, &d, &why) != OK && why == NULL)
        abort();
    free(own);
    return 0;
}
