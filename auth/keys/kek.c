/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/keys/kek.h"

#include "auth/keys/kek_token.h"
#include "auth/keys/secret_file.h"
#include "core/log.h"
#include "core/text.h"
#include "lineage/privacy/subject_key.h"

#include <openssl/crypto.h>
#include <string.h>
#include <sys/mman.h>

enum { HEX = 2 * SEAL_KEY, FILE_MAX = 16384, ENTRY_MAX = 2000 };
static const size_t page_size = (size_t)KEKS_MAX * SEAL_KEY;

static struct {
    struct {
        char id[KEK_ID];
        struct kek_token *token; /* NULL: the key is in memory */
    } all[KEKS_MAX];
    size_t count;
    uint8_t (*keys)[SEAL_KEY]; /* KEKS_MAX of them, on their own page */
    const uint8_t *key_file;
} keks;

/* What cannot be locked or left out of children still works, where limits are tight. */
static enum err make_page(void)
{
    void *page = mmap(NULL, page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return ERR_INTERNAL;
    (void)mlock(page, page_size);
    (void)madvise(page, page_size, MADV_DONTDUMP);
    (void)madvise(page, page_size, MADV_WIPEONFORK);
    keks.keys = page;
    return OK;
}

static void name_next(const struct digest *d)
{
    hex_encode(d->bytes, (KEK_ID - 1) / 2, keks.all[keks.count].id);
    keks.count++;
}

static void add_key(const uint8_t key[SEAL_KEY])
{
    struct digest d = hmac_sha256(key, SEAL_KEY, "key id", 6);

    memcpy(keks.keys[keks.count], key, SEAL_KEY);
    name_next(&d);
}

static void add_derived(void)
{
    static const char label[] = "chancery key encryption key v1";
    struct digest derived = hmac_sha256(keks.key_file, SEAL_KEY, label, sizeof(label) - 1);

    add_key(derived.bytes);
    OPENSSL_cleanse(&derived, sizeof(derived));
}

static enum err add_token(const char *uri)
{
    enum err e = kek_token_open(uri, &keks.all[keks.count].token);
    struct digest name;

    if (e != OK)
        return e;
    name = kek_token_name(keks.all[keks.count].token);
    name_next(&name);
    return OK;
}

static enum err add_entry(const char *entry, const char *setting)
{
    uint8_t key[SEAL_KEY];
    enum err e = OK;

    if (keks.count == KEKS_MAX) {
        log_world("setting %s: there are more than %d keys", setting, KEKS_MAX);
        return ERR_INVALID;
    }
    if (strncmp(entry, "pkcs11:", 7) == 0) {
        e = add_token(entry);
        if (e != OK)
            log_world("setting %s: key %zu, on a PKCS#11 token, cannot be used", setting,
                      keks.count + 1);
    } else if (strcmp(entry, "derived") == 0) {
        add_derived();
    } else if (strlen(entry) == HEX && hex_decode(entry, key, SEAL_KEY)) {
        add_key(key);
    } else {
        log_world("setting %s: key %zu is none of 64 hexadecimal digits, pkcs11:… and derived",
                  setting, keks.count + 1);
        e = ERR_INVALID;
    }
    OPENSSL_cleanse(key, sizeof(key));
    return e;
}

/* With commas or line ends between them. */
static enum err read_list(const char *text, const char *setting)
{
    char entry[ENTRY_MAX + 1];
    enum err e = OK;

    while (e == OK && *text != '\0') {
        size_t n = strcspn(text, ",\r\n");

        memcpy(entry, text, n < ENTRY_MAX ? n : ENTRY_MAX);
        entry[n < ENTRY_MAX ? n : ENTRY_MAX] = '\0';
        if (n > 0)
            e = add_entry(entry, setting);
        text += n + (text[n] != '\0');
    }
    OPENSSL_cleanse(entry, sizeof(entry));
    return e;
}

static enum err read_file(const char *path)
{
    size_t before = keks.count;
    char text[FILE_MAX];
    const char *why;
    enum err e = secret_file_read(path, text, sizeof(text), &why);

    if (e != OK)
        log_world("setting kek_file: %s %s", path, why);
    else
        e = read_list(text, "kek_file");
    if (e == OK && keks.count == before) {
        log_world("setting kek_file: %s has no key", path);
        e = ERR_INVALID;
    }
    OPENSSL_cleanse(text, sizeof(text));
    return e;
}

/* A name that two keys have would open with the wrong one. */
static enum err check_names(void)
{
    for (size_t i = 0; i < keks.count; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(keks.all[i].id, keks.all[j].id) == 0) {
                log_world("settings kek and kek_file: keys %zu and %zu are the same", j + 1, i + 1);
                return ERR_INVALID;
            }
    return OK;
}

/* The log's keys, of the floor below. */
static const struct audit_wrapping wrapping = {kek_current, kek_wrap, kek_unwrap};

enum err kek_start(const struct service *service)
{
    const struct config *c = service->config;
    enum err e;

    kek_stop();
    keks.key_file = service->key;
    e = make_page();
    if (e == OK)
        e = read_list(c->kek, "kek");
    if (e == OK && *c->kek_file != '\0')
        e = read_file(c->kek_file);
    if (e == OK && keks.count == 0)
        add_derived();
    if (e == OK)
        e = check_names();
    if (e == OK)
        audit_wrapping = &wrapping;
    return e;
}

void kek_stop(void)
{
    audit_wrapping = NULL;
    for (size_t i = 0; i < KEKS_MAX; i++)
        kek_token_close(keks.all[i].token);
    if (keks.keys != NULL) {
        OPENSSL_cleanse(keks.keys, page_size);
        (void)munmap(keks.keys, page_size);
    }
    memset(&keks, 0, sizeof(keks));
}

const char *kek_current(void)
{
    return keks.all[0].id;
}

enum err kek_wrap(const char *place, const uint8_t *key, uint8_t *wrapped)
{
    if (keks.count == 0)
        return ERR_INTERNAL;
    return keks.all[0].token == NULL ? seal(keks.keys[0], place, key, SEAL_KEY, wrapped)
                                     : kek_token_wrap(keks.all[0].token, place, key, wrapped);
}

enum err kek_unwrap(const char *id, const char *place, const uint8_t *wrapped, uint8_t *key)
{
    for (size_t i = 0; i < keks.count; i++) {
        if (strcmp(keks.all[i].id, id) != 0)
            continue;
        return keks.all[i].token == NULL
                   ? unseal(keks.keys[i], place, wrapped, SEAL_KEY + SEAL_OVERHEAD, key)
                   : kek_token_unwrap(keks.all[i].token, place, wrapped, key);
    }
    return ERR_NOT_FOUND;
}
