/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/jwt.h"

#include "core/crypto.h"
#include "core/text.h"
#include "tests/unit/test.h"

#include <jwt.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#define H     "{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"at+jwt\"}"
#define WHO   "\"iss\":\"https://here\",\"aud\":\"chancery\",\"sub\":\"ann\""
#define TIMES "\"iat\":1799999990,\"exp\":1800000890"
#define C     "{" WHO "," TIMES "}"
#define NOW   1800000000
#define TEN   "[[[[[[[[[[]]]]]]]]]]"

/* How the third segment of a forged token is made. */
enum signature {
    SIGNED,    /* by the key kid names: all else but the named fault is right */
    OTHER_KEY, /* by another P-256 key */
    P384_KEY,  /* kid names a P-384 key, and it signed */
    RSA_KEY,   /* kid names an RSA key */
    HMAC_PEM,  /* HS256 with the public key's PEM as secret */
    HMAC_RSA_PEM,
    HMAC_EMPTY, /* HS256 with an empty secret */
    NO_BYTES,   /* the empty segment */
    ZEROS,      /* r = s = 0 */
    ZERO_R,
    ZERO_S,
    ORDER,       /* r = s = n, the order of the curve */
    ABOVE_ORDER, /* s + n where that fits, else all bits set */
    DER,         /* the signature as DER, not r || s */
    SHORT,       /* 63 bytes */
    LONG,        /* 65 bytes */
    FLIPPED,     /* one bit */
    SWAPPED,     /* s || r */
    OTHER_TEXT,  /* of a token with another payload */
    MODES
};

/* What is done to the text of the token afterwards. */
enum damage {
    NOTHING,
    PADDED,        /* '=' after the last segment */
    JUNK_INSIDE,   /* '!' inside the signature */
    NEWLINE,       /* after the token */
    BLANK,         /* before it */
    STANDARD_64,   /* '+' instead of '-' */
    TRAILING_BITS, /* the last character of the signature has bits no byte uses */
    FOURTH,        /* a fourth segment */
    FIVE,          /* as an encrypted token has */
    TWO,           /* no signature at all */
    ONE,
    EMPTY,
    DOTS,        /* ".." */
    HEADER_GONE, /* ".payload.signature" */
    PAYLOAD_GONE,
    HEADER_PADDED, /* '=' after the header */
    HUGE_TOKEN,    /* more than 8 KiB */
    JSON_FORM,     /* JWS JSON serialization */
    CASE_FLIPPED,  /* one letter of the payload: the signature is over these very bytes */
    NUL_INSIDE,
};

struct forged {
    const char *name;
    const char *header;
    const char *claims;
    enum signature signature;
    enum damage damage;
    const char *why;
};

static const struct forged forgeries[] = {
#include "tests/unit/auth_forgeries.def"
};

static EVP_PKEY *ours, *other, *p384, *rsa;
static char *public_pem, *rsa_pem;

static EVP_PKEY *find(void *arg, const char *kid)
{
    EVP_PKEY *key = strcmp(kid, "k1") == 0     ? ours
                    : strcmp(kid, "p384") == 0 ? p384
                    : strcmp(kid, "rsa") == 0  ? rsa
                                               : NULL;

    (void)arg;
    if (key != NULL)
        (void)EVP_PKEY_up_ref(key);
    return key;
}

static struct jwt_rules rules(void)
{
    return (struct jwt_rules){.issuer = "https://here",
                              .audience = "chancery",
                              .type = "at+jwt",
                              .now = NOW,
                              .skew = 60,
                              .lifetime_max = 3600,
                              .key_of = find};
}

static size_t sign_der(EVP_PKEY *key, const char *text, unsigned char *der, size_t room)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t length = room;

    if (EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) != 1 ||
        EVP_DigestSign(context, der, &length, (const unsigned char *)text, strlen(text)) != 1)
        abort();
    EVP_MD_CTX_free(context);
    return length;
}

static void sign_raw(EVP_PKEY *key, const char *text, unsigned char raw[ES256_SIGNATURE])
{
    unsigned char der[256];
    const unsigned char *at = der;
    size_t length = sign_der(key, text, der, sizeof(der));
    ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &at, (long)length);

    if (s == NULL || BN_bn2binpad(ECDSA_SIG_get0_r(s), raw, 32) != 32 ||
        BN_bn2binpad(ECDSA_SIG_get0_s(s), raw + 32, 32) != 32)
        abort();
    ECDSA_SIG_free(s);
}

static void curve_order(unsigned char n[32])
{
    if (!hex_decode("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", n, 32))
        abort();
}

static void distort(enum signature mode, unsigned char raw[ES256_SIGNATURE])
{
    unsigned char half[32];

    memcpy(half, raw, 32);
    if (mode == ZEROS || mode == ZERO_R)
        memset(raw, 0, 32);
    if (mode == ZEROS || mode == ZERO_S)
        memset(raw + 32, 0, 32);
    if (mode == ORDER) {
        curve_order(raw);
        curve_order(raw + 32);
    }
    if (mode == ABOVE_ORDER)
        memset(raw + 32, 0xFF, 32);
    if (mode == FLIPPED)
        raw[40] ^= 1;
    if (mode == SWAPPED) {
        memcpy(raw, raw + 32, 32);
        memcpy(raw + 32, half, 32);
    }
}

static const char *signature_of(struct arena *a, enum signature mode, const char *text)
{
    unsigned char raw[512] = {0};
    const char *pem;
    struct digest mac;

    switch (mode) {
    case NO_BYTES:
        return "";
    case HMAC_PEM:
    case HMAC_RSA_PEM:
    case HMAC_EMPTY:
        pem = mode == HMAC_PEM ? public_pem : mode == HMAC_RSA_PEM ? rsa_pem : "";
        mac = hmac_sha256(pem, strlen(pem), text, strlen(text));
        return base64url_encode(a, mac.bytes, SHA256_SIZE);
    case RSA_KEY:
        (void)sign_der(rsa, text, raw, sizeof(raw));
        return base64url_encode(a, raw, ES256_SIGNATURE);
    case P384_KEY:
        (void)sign_der(p384, text, raw, sizeof(raw));
        return base64url_encode(a, raw, ES256_SIGNATURE);
    case DER:
        return base64url_encode(a, raw, sign_der(ours, text, raw, sizeof(raw)));
    case OTHER_TEXT:
        text = "eyJ9.e30";
        break;
    default:
        break;
    }
    sign_raw(mode == OTHER_KEY ? other : ours, text, raw);
    distort(mode, raw);
    return base64url_encode(a, raw, mode == SHORT ? 63 : mode == LONG ? 65 : ES256_SIGNATURE);
}

static char *with(struct arena *a, const char *token, size_t at, char c)
{
    char *out = arena_text(a, token);

    out[at] = c;
    return out;
}

static const char *damaged(struct arena *a, enum damage damage, const char *token)
{
    size_t length = strlen(token);
    const char *payload = strchr(token, '.');
    const char *signature = strrchr(token, '.');

    switch (damage) {
    case PADDED:
        return arena_printf(a, "%s==", token);
    case JUNK_INSIDE:
        return with(a, token, length - 9, '!');
    case NEWLINE:
        return arena_printf(a, "%s\n", token);
    case BLANK:
        return arena_printf(a, " %s", token);
    case STANDARD_64:
        return with(a, token, 3, '+');
    case TRAILING_BITS:
        return with(a, token, length - 1, 'B');
    case FOURTH:
        return arena_printf(a, "%s.%s", token, signature + 1);
    case FIVE:
        return arena_printf(a, "%s.e30.e30", token);
    case TWO:
        return arena_copy(a, token, (size_t)(signature - token));
    case ONE:
        return arena_copy(a, token, (size_t)(payload - token));
    case EMPTY:
        return "";
    case DOTS:
        return "..";
    case HEADER_GONE:
        return payload;
    case PAYLOAD_GONE:
        return arena_printf(a, "%.*s.%s", (int)(payload - token), token, signature);
    case HEADER_PADDED:
        return arena_printf(a, "%.*s=%s", (int)(payload - token), token, payload);
    case HUGE_TOKEN:
        return arena_printf(a, "%s%08193d", token, 0);
    case JSON_FORM:
        return "{\"payload\":\"e30\",\"signatures\":[]}";
    case CASE_FLIPPED:
        return with(a, token, (size_t)(payload - token) + 8, payload[8] == 'A' ? 'B' : 'A');
    case NUL_INSIDE:
        return with(a, token, length - 5, '\0');
    case NOTHING:
        break;
    }
    return token;
}

static const char *forge(struct arena *a, const struct forged *f, size_t *length)
{
    const char *text = arena_printf(a, "%s.%s", base64url_encode(a, f->header, strlen(f->header)),
                                    base64url_encode(a, f->claims, strlen(f->claims)));
    const char *token = arena_printf(a, "%s.%s", text, signature_of(a, f->signature, text));
    const char *out = damaged(a, f->damage, token);

    *length = f->damage == NUL_INSIDE ? strlen(token) : strlen(out);
    return out;
}

static enum err ask(struct arena *a, const char *token, size_t length, const char **why)
{
    struct jwt_rules r = rules();
    const json_t *claims;
    enum err e = jwt_verify(a, token, length, &r, &claims, why);

    return (e == OK) == (claims != NULL) ? e : ERR_INTERNAL;
}

static void every_forgery_is_refused_for_its_own_reason(void)
{
    size_t count = sizeof(forgeries) / sizeof(forgeries[0]);
    unsigned wrong = 0;

    for (size_t i = 0; i < count; i++) {
        struct arena *a = arena_new();
        size_t length;
        const char *token = forge(a, &forgeries[i], &length);
        const char *why = NULL;
        enum err e = ask(a, token, length, &why);

        if (e != ERR_TOKEN || why == NULL || strcmp(why, forgeries[i].why) != 0) {
            (void)printf("  %s: %s, not %s\n", forgeries[i].name, why == NULL ? "accepted" : why,
                         forgeries[i].why);
            wrong++;
        }
        arena_free(a);
    }
    (void)printf("  %zu forgeries\n", count);
    CHECK(wrong == 0);
    CHECK(count >= 60);
}

static void what_is_good_is_accepted(void)
{
    static const struct forged good[] = {
        {"plain", H, C, SIGNED, NOTHING, NULL},
        {"members in another order", "{\"typ\":\"at+jwt\",\"kid\":\"k1\",\"alg\":\"ES256\"}", C,
         SIGNED, NOTHING, NULL},
        {"iat and nbf within the skew", H,
         "{" WHO ",\"iat\":1800000060,\"nbf\":1800000060,\"exp\":1800000890}", SIGNED, NOTHING,
         NULL},
        {"a last second to live", H, "{" WHO ",\"iat\":1799999990,\"exp\":1800000001}", SIGNED,
         NOTHING, NULL},
    };

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct arena *a = arena_new();
        size_t length;
        const char *token = forge(a, &good[i], &length);
        const char *why = NULL;
        bool fine = ask(a, token, length, &why) == OK && why == NULL;

        arena_free(a);
        CHECK(fine);
    }
}

static void minted_tokens_verify(void)
{
    struct arena *a = arena_new();
    struct jwt_rules r = rules();
    const char *token = NULL;
    const char *why = NULL;
    const json_t *claims = NULL;

    CHECK(
        jwt_mint(a, ours, "k1", "at+jwt",
                 json_pack("{s:s,s:s,s:s,s:I,s:I}", "iss", "https://here", "aud", "chancery", "sub",
                           "b\xC3\xB6rk", "iat", (json_int_t)NOW, "exp", (json_int_t)(NOW + 900)),
                 &token) == OK);
    CHECK(jwt_verify(a, token, strlen(token), &r, &claims, &why) == OK);
    CHECK(strcmp(json_string_value(json_object_get(claims, "sub")), "b\xC3\xB6rk") == 0);
    arena_free(a);
}

/* Someone else's code agrees about what is good. It knows typ JWT only. */
static void libjwt_is_of_the_same_opinion(void)
{
    struct arena *a = arena_new();
    struct jwt_rules r = rules();
    const char *token = NULL;
    const char *why = NULL;
    const json_t *claims = NULL;
    jwt_t *jwt = NULL;
    char *theirs;
    BIO *bio = BIO_new(BIO_s_mem());
    char *pem;
    long pem_length;

    r.type = "JWT";
    CHECK(jwt_mint(a, ours, "k1", "JWT", json_loads(C, 0, NULL), &token) == OK);
    CHECK(jwt_decode(&jwt, token, (const unsigned char *)public_pem, (int)strlen(public_pem)) == 0);
    CHECK(jwt_get_alg(jwt) == JWT_ALG_ES256 && strcmp(jwt_get_grant(jwt, "sub"), "ann") == 0);
    jwt_free(jwt);

    CHECK(PEM_write_bio_PKCS8PrivateKey(bio, ours, NULL, NULL, 0, NULL, NULL) == 1);
    pem_length = BIO_get_mem_data(bio, &pem);
    CHECK(jwt_new(&jwt) == 0 && jwt_add_header(jwt, "kid", "k1") == 0);
    CHECK(jwt_add_grants_json(jwt, C) == 0);
    CHECK(jwt_set_alg(jwt, JWT_ALG_ES256, (unsigned char *)pem, (int)pem_length) == 0);
    theirs = jwt_encode_str(jwt);
    CHECK(theirs != NULL);
    CHECK(jwt_verify(a, theirs, strlen(theirs), &r, &claims, &why) == OK);
    free(theirs);
    jwt_free(jwt);
    BIO_free(bio);
    arena_free(a);
}

/* The reason for a verifier of our own: what libjwt 1.10.2 lets pass. If a later one does not, this
 * fails, and the decision may be looked at again. */
static void libjwt_accepts_forgeries(void)
{
    struct arena *a = arena_new();
    const struct forged confused = {
        "", "{\"alg\":\"HS256\",\"typ\":\"JWT\"}", C, HMAC_PEM, NOTHING, NULL};
    const struct forged none = {"",  "{\"alg\":\"none\",\"typ\":\"JWT\"}", C, NO_BYTES, NOTHING,
                                NULL};
    size_t length;
    const char *token = forge(a, &confused, &length);
    const char *why;
    jwt_t *jwt = NULL;

    CHECK(jwt_decode(&jwt, token, (const unsigned char *)public_pem, (int)strlen(public_pem)) == 0);
    jwt_free(jwt);
    CHECK(ask(a, token, length, &why) == ERR_TOKEN);
    token = forge(a, &none, &length);
    CHECK(jwt_decode(&jwt, token, NULL, 0) == 0);
    jwt_free(jwt);
    CHECK(ask(a, token, length, &why) == ERR_TOKEN);
    arena_free(a);
}

#define HJ "{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"JWT\""

/* Everything else that is known of it: all of these it takes, under the right key. */
static void libjwt_looks_neither_at_times_nor_at_crit(void)
{
    static const struct forged all[] = {
        {"expired", HJ "}", "{" WHO ",\"iat\":1,\"exp\":2}", SIGNED, NOTHING, NULL},
        {"not valid yet", HJ "}", "{" WHO "," TIMES ",\"nbf\":1800009999}", SIGNED, NOTHING, NULL},
        {"exp a text", HJ "}", "{" WHO ",\"iat\":1,\"exp\":\"1\"}", SIGNED, NOTHING, NULL},
        {"exp a real number", HJ "}", "{" WHO ",\"iat\":1,\"exp\":1.5}", SIGNED, NOTHING, NULL},
        {"no exp", HJ "}", "{" WHO "}", SIGNED, NOTHING, NULL},
        {"crit", HJ ",\"crit\":[\"exp\"]}", C, SIGNED, NOTHING, NULL},
        {"alg in lower case", "{\"alg\":\"es256\",\"kid\":\"k1\",\"typ\":\"JWT\"}", C, SIGNED,
         NOTHING, NULL},
        {"sub named twice", HJ "}", "{" WHO ",\"sub\":\"eve\"," TIMES "}", SIGNED, NOTHING, NULL},
        {"key brought along", HJ ",\"jwk\":{}}", C, SIGNED, NOTHING, NULL},
    };
    struct jwt_rules r = rules();
    unsigned differ = 0;

    r.type = "JWT";
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        struct arena *a = arena_new();
        size_t length;
        const char *token = forge(a, &all[i], &length);
        const json_t *claims;
        const char *why = "";
        jwt_t *jwt = NULL;
        bool theirs = jwt_decode(&jwt, token, (const unsigned char *)public_pem,
                                 (int)strlen(public_pem)) == 0;
        bool mine = jwt_verify(a, token, length, &r, &claims, &why) == OK;

        if (!theirs || mine) {
            (void)printf("  %s: libjwt %d, we %d\n", all[i].name, theirs, mine);
            differ++;
        }
        jwt_free(jwt);
        arena_free(a);
    }
    CHECK(differ == 0);
}

/* Every byte of a good token, changed every way a fuzzer would start with. */
static void no_single_change_goes_unnoticed(void)
{
    struct arena *a = arena_new();
    const struct forged good = {"", H, C, SIGNED, NOTHING, NULL};
    size_t length;
    const char *token = forge(a, &good, &length);
    unsigned accepted = 0;

    for (size_t i = 0; i < length; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            struct arena *b = arena_new();
            char *changed = arena_copy(b, token, length);
            const char *why;

            changed[i] = (char)(changed[i] ^ (1 << bit));
            accepted += ask(b, changed, length, &why) == OK;
            arena_free(b);
        }
    arena_free(a);
    CHECK(accepted == 0);
}

static char *pem_of(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    char *out;
    long length;

    if (PEM_write_bio_PUBKEY(bio, key) != 1)
        abort();
    length = BIO_get_mem_data(bio, &text);
    out = strndup(text, (size_t)length);
    BIO_free(bio);
    return out;
}

static void make_keys(void)
{
    ours = EVP_EC_gen("P-256");
    other = EVP_EC_gen("P-256");
    p384 = EVP_EC_gen("P-384");
    rsa = EVP_RSA_gen(2048);
    public_pem = pem_of(ours);
    rsa_pem = pem_of(rsa);
}

int main(void)
{
    make_keys();
    RUN(every_forgery_is_refused_for_its_own_reason);
    RUN(what_is_good_is_accepted);
    RUN(minted_tokens_verify);
    RUN(libjwt_is_of_the_same_opinion);
    RUN(libjwt_accepts_forgeries);
    RUN(libjwt_looks_neither_at_times_nor_at_crit);
    RUN(no_single_change_goes_unnoticed);
    EVP_PKEY_free(ours);
    EVP_PKEY_free(other);
    EVP_PKEY_free(p384);
    EVP_PKEY_free(rsa);
    free(public_pem);
    free(rsa_pem);
    return failures != 0;
}
