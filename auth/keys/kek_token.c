/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/keys/kek_token.h"

#include "auth/keys/secret_file.h"
#include "core/log.h"

#include <openssl/crypto.h>
#include <p11-kit/p11-kit.h>
#include <p11-kit/uri.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    SLOTS_MAX = 64,
    TEMPLATE_MAX = 16,
    PIN_MAX = 256,
    LABEL_MAX = 256,
    NONCE = 12,
    NONCE_BITS = 96,
    TAG = 16,
    TAG_BITS = 128
};

struct kek_token {
    pthread_mutex_t lock;
    P11KitUri *uri;
    CK_FUNCTION_LIST **modules; /* NULL-terminated */
    CK_FUNCTION_LIST *alone[2]; /* what modules points at when the URI names one */
    CK_FUNCTION_LIST *module;   /* the one that has the key; NULL without a session */
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE key;
    bool pin_refused;
    struct digest name;
};

/* What is wrong, for the log; a token's own words are for whoever runs the service. */
static enum err wrong(enum err e, const char *what, CK_RV rv)
{
    if (rv == CKR_OK)
        log_world("PKCS#11: %s", what);
    else
        log_world("PKCS#11: %s: %s", what, p11_kit_strerror(rv));
    return e;
}

/* The first line of the file. The caller wipes pin. */
static enum err read_pin(const P11KitUri *uri, char pin[PIN_MAX])
{
    const char *path = p11_kit_uri_get_pin_source(uri);
    const char *why;

    if (path == NULL)
        return wrong(ERR_INVALID, "the URI has no pin-source", CKR_OK);
    if (strncmp(path, "file:", 5) == 0)
        path += strncmp(path, "file://", 7) == 0 ? 7 : 5;
    if (*path != '/')
        return wrong(ERR_INVALID, "pin-source is no file: with an absolute path", CKR_OK);
    if (secret_file_read(path, pin, PIN_MAX, &why) != OK) {
        log_world("PKCS#11: the PIN's file %s %s", path, why);
        return ERR_INVALID;
    }
    pin[strcspn(pin, "\r\n")] = '\0';
    return *pin != '\0' ? OK : wrong(ERR_INVALID, "the PIN's file has no PIN", CKR_OK);
}

static void leave(struct kek_token *t)
{
    if (t->module != NULL)
        (void)t->module->C_CloseSession(t->session);
    t->module = NULL;
}

/* The URI's token: exactly one. */
static enum err find_slot(struct kek_token *t, CK_FUNCTION_LIST **module, CK_SLOT_ID *slot)
{
    size_t found = 0;

    for (CK_FUNCTION_LIST **m = t->modules; *m != NULL; m++) {
        CK_SLOT_ID slots[SLOTS_MAX];
        CK_ULONG count = SLOTS_MAX;
        CK_INFO about;

        if ((*m)->C_GetInfo(&about) != CKR_OK || !p11_kit_uri_match_module_info(t->uri, &about) ||
            (*m)->C_GetSlotList(CK_TRUE, slots, &count) != CKR_OK)
            continue;
        for (CK_ULONG i = 0; i < count; i++) {
            CK_TOKEN_INFO token;

            if ((*m)->C_GetTokenInfo(slots[i], &token) != CKR_OK ||
                !p11_kit_uri_match_token_info(t->uri, &token) || found++ > 0)
                continue;
            *module = *m;
            *slot = slots[i];
        }
    }
    if (found == 1)
        return OK;
    return wrong(found == 0 ? ERR_UNAVAILABLE : ERR_INVALID,
                 found == 0 ? "no token fits the URI" : "more than one token fits the URI", CKR_OK);
}

static enum err log_in(struct kek_token *t)
{
    char pin[PIN_MAX];
    enum err e = read_pin(t->uri, pin);
    CK_RV rv;

    if (e == OK) {
        rv = t->module->C_Login(t->session, CKU_USER, (CK_UTF8CHAR *)pin, strlen(pin));
        t->pin_refused = rv == CKR_PIN_INCORRECT || rv == CKR_PIN_LOCKED ||
                         rv == CKR_PIN_LEN_RANGE || rv == CKR_PIN_INVALID;
        if (rv != CKR_OK && rv != CKR_USER_ALREADY_LOGGED_IN)
            e = wrong(t->pin_refused ? ERR_INVALID : ERR_UNAVAILABLE, "the token lets nobody in",
                      rv);
    }
    OPENSSL_cleanse(pin, sizeof(pin));
    return e;
}

/* What the URI says of the object, and that it is a secret AES key. */
static CK_ULONG template_of(const struct kek_token *t, CK_ATTRIBUTE out[TEMPLATE_MAX])
{
    static CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    static CK_KEY_TYPE type = CKK_AES;
    CK_ULONG said = 0;
    CK_ULONG n = 0;
    const CK_ATTRIBUTE *asked = p11_kit_uri_get_attributes(t->uri, &said);

    out[n++] = (CK_ATTRIBUTE){CKA_CLASS, &class, sizeof(class)};
    out[n++] = (CK_ATTRIBUTE){CKA_KEY_TYPE, &type, sizeof(type)};
    for (CK_ULONG i = 0; i < said && n < TEMPLATE_MAX; i++)
        if (asked[i].type != CKA_CLASS)
            out[n++] = asked[i];
    return n;
}

static enum err find_key(struct kek_token *t)
{
    CK_ATTRIBUTE wanted[TEMPLATE_MAX];
    CK_ULONG count = template_of(t, wanted);
    CK_OBJECT_HANDLE keys[2];
    CK_ULONG found = 0;
    CK_RV rv = t->module->C_FindObjectsInit(t->session, wanted, count);

    if (rv == CKR_OK) {
        rv = t->module->C_FindObjects(t->session, keys, 2, &found);
        (void)t->module->C_FindObjectsFinal(t->session);
    }
    if (rv != CKR_OK)
        return wrong(ERR_UNAVAILABLE, "the token's keys cannot be listed", rv);
    if (found != 1)
        return wrong(ERR_INVALID,
                     found == 0 ? "the token has no AES key that fits the URI"
                                : "more than one AES key of the token fits the URI",
                     CKR_OK);
    t->key = keys[0];
    return OK;
}

static enum err check_key(struct kek_token *t)
{
    CK_ULONG length = 0;
    CK_BBOOL sensitive = CK_FALSE;
    CK_BBOOL extractable = CK_TRUE;
    char name[1 + 2 * LABEL_MAX] = "";
    CK_ATTRIBUTE has[] = {{CKA_VALUE_LEN, &length, sizeof(length)},
                          {CKA_SENSITIVE, &sensitive, sizeof(sensitive)},
                          {CKA_EXTRACTABLE, &extractable, sizeof(extractable)},
                          {CKA_LABEL, name, LABEL_MAX},
                          {CKA_ID, name + 1 + LABEL_MAX, LABEL_MAX}};
    CK_RV rv = t->module->C_GetAttributeValue(t->session, t->key, has, 5);

    if (rv != CKR_OK)
        return wrong(ERR_UNAVAILABLE, "the key does not tell what it is", rv);
    if (length != SEAL_KEY)
        return wrong(ERR_INVALID, "the key is not of 256 bits", CKR_OK);
    if (sensitive != CK_TRUE || extractable != CK_FALSE)
        return wrong(ERR_INVALID,
                     "the key may leave its token: it must be sensitive and not "
                     "extractable",
                     CKR_OK);
    name[has[3].ulValueLen] = '\0';
    memmove(name + has[3].ulValueLen + 1, name + 1 + LABEL_MAX, has[4].ulValueLen);
    t->name = sha256_of(name, has[3].ulValueLen + 1 + has[4].ulValueLen);
    return OK;
}

static enum err enter(struct kek_token *t)
{
    CK_FUNCTION_LIST *module = NULL;
    CK_SLOT_ID slot = 0;
    enum err e;
    CK_RV rv;

    if (t->module != NULL)
        return OK;
    if (t->pin_refused)
        return wrong(ERR_UNAVAILABLE,
                     "the PIN was refused, and is not tried again before a restart", CKR_OK);
    e = find_slot(t, &module, &slot);
    if (e != OK || module == NULL)
        return e == OK ? ERR_UNAVAILABLE : e;
    rv = module->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &t->session);
    if (rv != CKR_OK)
        return wrong(ERR_UNAVAILABLE, "the token opens no session", rv);
    t->module = module;
    e = log_in(t);
    if (e == OK)
        e = find_key(t);
    if (e == OK)
        e = check_key(t);
    if (e != OK)
        leave(t);
    return e;
}

/* One call of the token's. nonce is read, or written by tokens that make their own. */
static CK_RV run(struct kek_token *t, bool wrap, const char *place, uint8_t *nonce,
                 const uint8_t *in, uint8_t *out)
{
    CK_GCM_PARAMS gcm = {.iv_len = NONCE,
                         .iv_bits = NONCE_BITS,
                         .aad_ptr = (unsigned char *)(uintptr_t)place,
                         .aad_len = strlen(place),
                         .tag_bits = TAG_BITS};
    CK_MECHANISM mechanism = {CKM_AES_GCM, &gcm, sizeof(gcm)};
    uint8_t room[SEAL_KEY + 2 * TAG]; /* some write the tag before they cut it off */
    CK_ULONG wanted = wrap ? SEAL_KEY + TAG : SEAL_KEY;
    CK_ULONG length = sizeof(room);
    CK_BYTE *from = (CK_BYTE *)(uintptr_t)in;
    CK_RV rv;

    gcm.iv_ptr = nonce;
    rv = wrap ? t->module->C_EncryptInit(t->session, &mechanism, t->key)
              : t->module->C_DecryptInit(t->session, &mechanism, t->key);
    if (rv == CKR_OK)
        rv = wrap ? t->module->C_Encrypt(t->session, from, SEAL_KEY, room, &length)
                  : t->module->C_Decrypt(t->session, from, SEAL_KEY + TAG, room, &length);
    if (rv == CKR_OK && length != wanted)
        rv = CKR_GENERAL_ERROR;
    if (rv == CKR_OK)
        memcpy(out, room, wanted);
    OPENSSL_cleanse(room, sizeof(room));
    return rv;
}

/* Some libraries know a token that went and came back only when they are started again. */
static void start_again(struct kek_token *t)
{
    leave(t);
    if (t->modules != t->alone || t->pin_refused)
        return;
    (void)p11_kit_module_finalize(t->alone[0]);
    if (p11_kit_module_initialize(t->alone[0]) != CKR_OK)
        log_world("PKCS#11: the module does not start again");
}

static bool is_answer(CK_RV rv)
{
    return rv == CKR_OK || rv == CKR_ENCRYPTED_DATA_INVALID || rv == CKR_ENCRYPTED_DATA_LEN_RANGE;
}

/* Twice, since a session may have ended with its token. What fails then is the token's answer. */
static enum err ask(struct kek_token *t, bool wrap, const char *place, uint8_t *nonce,
                    const uint8_t *in, uint8_t *out)
{
    CK_RV rv = CKR_GENERAL_ERROR;
    enum err e = OK;

    (void)pthread_mutex_lock(&t->lock);
    for (int round = 0; round < 2 && !is_answer(rv) && e != ERR_INVALID; round++) {
        if (round > 0)
            start_again(t);
        e = enter(t);
        if (e == OK)
            rv = run(t, wrap, place, nonce, in, out);
    }
    if (!is_answer(rv))
        leave(t);
    (void)pthread_mutex_unlock(&t->lock);
    if (e != OK)
        return ERR_UNAVAILABLE;
    return rv == CKR_OK ? OK : wrong(ERR_INTERNAL, wrap ? "wrapping" : "unwrapping", rv);
}

enum err kek_token_wrap(struct kek_token *t, const char *place, const uint8_t *key,
                        uint8_t *wrapped)
{
    random_bytes(wrapped, NONCE);
    return ask(t, true, place, wrapped, key, wrapped + NONCE);
}

enum err kek_token_unwrap(struct kek_token *t, const char *place, const uint8_t *wrapped,
                          uint8_t *key)
{
    uint8_t nonce[NONCE];

    memcpy(nonce, wrapped, NONCE);
    return ask(t, false, place, nonce, wrapped + NONCE, key);
}

struct digest kek_token_name(const struct kek_token *t)
{
    return t->name;
}

static enum err load_modules(struct kek_token *t)
{
    const char *path = p11_kit_uri_get_module_path(t->uri);
    CK_RV rv;

    if (path == NULL) {
        t->modules = p11_kit_modules_load_and_initialize(0);
        return t->modules != NULL ? OK : wrong(ERR_INVALID, "p11-kit has no modules", CKR_OK);
    }
    t->alone[0] = p11_kit_module_load(path, 0);
    if (t->alone[0] == NULL) {
        log_world("PKCS#11: %s cannot be loaded: %s", path, p11_kit_message());
        return ERR_INVALID;
    }
    t->modules = t->alone;
    rv = p11_kit_module_initialize(t->alone[0]);
    if (rv == CKR_OK)
        return OK;
    p11_kit_module_release(t->alone[0]);
    t->modules = NULL;
    return wrong(ERR_UNAVAILABLE, "the module does not start", rv);
}

static enum err read_uri(const char *text, P11KitUri *uri)
{
    if (p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri) != P11_KIT_URI_OK)
        return wrong(ERR_INVALID, "this is no URI of RFC 7512", CKR_OK);
    if (p11_kit_uri_any_unrecognized(uri))
        return wrong(ERR_INVALID, "the URI has an attribute that is not known", CKR_OK);
    if (p11_kit_uri_get_pin_value(uri) != NULL)
        return wrong(ERR_INVALID, "the URI has a pin-value, which others can see; use pin-source",
                     CKR_OK);
    return OK;
}

static enum err try_out(struct kek_token *t)
{
    static const char place[] = "v1|try";
    uint8_t key[SEAL_KEY];
    uint8_t again[SEAL_KEY] = {0};
    uint8_t wrapped[KEK_TOKEN_WRAPPED];
    enum err e;

    random_bytes(key, sizeof(key));
    e = kek_token_wrap(t, place, key, wrapped);
    if (e == OK)
        e = kek_token_unwrap(t, place, wrapped, again);
    if (e == OK && !secret_equal(key, again, sizeof(key)))
        e = wrong(ERR_INTERNAL, "what was wrapped is not what comes back", CKR_OK);
    return e;
}

enum err kek_token_open(const char *uri, struct kek_token **out)
{
    struct kek_token *t = calloc(1, sizeof(*t));
    enum err e;

    *out = NULL;
    if (t == NULL)
        return ERR_INTERNAL;
    (void)pthread_mutex_init(&t->lock, NULL);
    t->uri = p11_kit_uri_new();
    e = t->uri == NULL ? ERR_INTERNAL : read_uri(uri, t->uri);
    if (e == OK)
        e = load_modules(t);
    if (e == OK)
        e = try_out(t);
    if (e == OK)
        *out = t;
    else
        kek_token_close(t);
    return e;
}

void kek_token_close(struct kek_token *t)
{
    if (t == NULL)
        return;
    leave(t);
    if (t->modules == t->alone) {
        (void)p11_kit_module_finalize(t->alone[0]);
        p11_kit_module_release(t->alone[0]);
    } else if (t->modules != NULL) {
        p11_kit_modules_finalize_and_release(t->modules);
    }
    p11_kit_uri_free(t->uri);
    (void)pthread_mutex_destroy(&t->lock);
    free(t);
}
