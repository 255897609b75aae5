/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/kek.h"

#include "core/log.h"
#include "core/text.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

enum { HEX = 2 * SEAL_KEY, FILE_MAX = 1024 };

static struct {
    struct {
        char id[KEK_ID];
        uint8_t key[SEAL_KEY];
    } all[KEKS_MAX];
    size_t count;
} keks;

static enum err add(const uint8_t key[SEAL_KEY])
{
    struct digest d = hmac_sha256(key, SEAL_KEY, "key id", 6);

    if (keks.count == KEKS_MAX)
        return ERR_INVALID;
    memcpy(keks.all[keks.count].key, key, SEAL_KEY);
    hex_encode(d.bytes, (KEK_ID - 1) / 2, keks.all[keks.count].id);
    keks.count++;
    return OK;
}

/* 64 digits each, with commas or line ends between them. */
static enum err read_list(const char *text)
{
    while (*text != '\0') {
        size_t n = strcspn(text, ",\r\n");
        char hex[HEX + 1];
        uint8_t key[SEAL_KEY];
        enum err e;

        if (n == HEX) {
            memcpy(hex, text, HEX);
            hex[HEX] = '\0';
            e = hex_decode(hex, key, SEAL_KEY) ? add(key) : ERR_INVALID;
            OPENSSL_cleanse(hex, sizeof(hex));
            OPENSSL_cleanse(key, sizeof(key));
            if (e != OK)
                return e;
        } else if (n != 0) {
            return ERR_INVALID;
        }
        text += n + (text[n] != '\0');
    }
    return keks.count == 0 ? ERR_INVALID : OK;
}

static enum err read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    char text[FILE_MAX] = "";
    size_t n = file == NULL ? 0 : fread(text, 1, sizeof(text) - 1, file);
    enum err e = n == 0 || n == sizeof(text) - 1 ? ERR_INVALID : read_list(text);

    if (file != NULL)
        (void)fclose(file);
    OPENSSL_cleanse(text, sizeof(text));
    return e;
}

enum err kek_start(const struct service *service)
{
    static const char label[] = "chancery key encryption key v1";
    const struct config *c = service->config;
    struct digest derived;
    enum err e;

    kek_stop();
    if (*c->kek != '\0')
        e = read_list(c->kek);
    else if (*c->kek_file != '\0')
        e = read_file(c->kek_file);
    else {
        derived = hmac_sha256(service->key, SEAL_KEY, label, sizeof(label) - 1);
        e = add(derived.bytes);
        OPENSSL_cleanse(&derived, sizeof(derived));
    }
    if (e != OK)
        log_world("%s does not hold 1 to %d keys of 64 hexadecimal digits",
                  *c->kek != '\0' ? "kek" : "kek_file", KEKS_MAX);
    return e;
}

void kek_stop(void)
{
    OPENSSL_cleanse(&keks, sizeof(keks));
}

const char *kek_current(void)
{
    return keks.all[0].id;
}

enum err kek_wrap(const char *place, const uint8_t *key, uint8_t *wrapped)
{
    return keks.count == 0 ? ERR_INTERNAL : seal(keks.all[0].key, place, key, SEAL_KEY, wrapped);
}

enum err kek_unwrap(const char *id, const char *place, const uint8_t *wrapped, uint8_t *key)
{
    for (size_t i = 0; i < keks.count; i++)
        if (strcmp(keks.all[i].id, id) == 0)
            return unseal(keks.all[i].key, place, wrapped, SEAL_KEY + SEAL_OVERHEAD, key);
    return ERR_NOT_FOUND;
}
