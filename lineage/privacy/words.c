/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/privacy/words.h"

#include <locale.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <wctype.h>

enum { PHRASE_GAP = 2 };

static locale_t unicode;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load_unicode(void)
{
    unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

/* One code point of valid UTF-8; what is not valid is a sign of one byte. */
static wint_t read_point(const char *at, size_t *length)
{
    const unsigned char *p = (const unsigned char *)at;
    size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    wint_t point = n == 1 ? p[0] : p[0] & (0x7fu >> n);

    *length = 1;
    if (p[0] >= 0x80 && p[0] < 0xc0)
        return L' ';
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return L' ';
        point = point << 6 | (p[i] & 0x3f);
    }
    *length = n;
    return point;
}

static size_t write_point(wint_t c, char out[4])
{
    static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    if (n == 1) {
        out[0] = (char)c;
        return 1;
    }
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(leads[n] | c);
    return n;
}

static bool is_word(wint_t c)
{
    if (c < 0x80)
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return unicode != (locale_t)0 && iswalnum_l(c, unicode) != 0;
}

static wint_t lower(wint_t c)
{
    if (c < 0x80)
        return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
    return towlower_l(c, unicode);
}

/* An escape of JSON is a sign, and so is what follows its backslash. */
static size_t skip_escape(const char *at)
{
    return at[1] == '\0' ? 1 : at[1] == 'u' && strlen(at) >= 6 ? 6 : 2;
}

/* The next word; false at the end. */
static bool next_word(const char **at, char out[WORD_ROOM])
{
    size_t length, used = 0;

    while (**at != '\0') {
        wint_t c = read_point(*at, &length);
        char bytes[4];

        if (is_word(c)) {
            size_t n = write_point(lower(c), bytes);

            if (used + n < WORD_ROOM)
                memcpy(out + used, bytes, n);
            used += used + n < WORD_ROOM ? n : 0;
            *at += length;
            continue;
        }
        if (used > 0)
            break;
        *at += **at == '\\' ? skip_escape(*at) : length;
    }
    out[used] = '\0';
    return used > 0;
}

/* The words of [from, to) as one term. */
static bool add_term(struct arena *a, struct words_query *q, const char *from, size_t length)
{
    const char *at = arena_copy(a, from, length);
    struct words_term *t = &q->terms[q->count];
    char word[WORD_ROOM];

    if (q->count == WORDS_TERMS_MAX)
        return false;
    t->count = 0;
    while (next_word(&at, word)) {
        if (t->count == WORDS_PHRASE_MAX)
            return false;
        t->words[t->count++] = arena_text(a, word);
    }
    q->count += t->count > 0;
    return true;
}

/* One term from *at, which is not blank. */
static bool parse_term(struct arena *a, const char **at, struct words_query *q, bool other)
{
    size_t before = q->count, length;
    bool not = **at == '-', fine;

    *at += not ;
    if (**at == '"') {
        length = strcspn(++*at, "\"");
        fine = add_term(a, q, *at, length);
        *at += length + ((*at)[length] == '"');
    } else {
        length = strcspn(*at, " \t\r\n\"");
        fine = add_term(a, q, *at, length);
        *at += length;
    }
    if (fine && q->count > before) {
        q->terms[before].not = not ;
        q->terms[before].other = other && before > 0;
    }
    return fine;
}

static bool is_or(const char *at)
{
    return strncasecmp(at, "or", 2) == 0 && (at[2] == '\0' || strchr(" \t\r\n", at[2]) != NULL);
}

bool words_parse(struct arena *a, const char *text, struct words_query *out)
{
    const char *at = text;
    bool other = false;

    (void)pthread_once(&once, load_unicode);
    out->count = 0;
    for (at += strspn(at, " \t\r\n"); *at != '\0'; at += strspn(at, " \t\r\n")) {
        size_t before = out->count;

        if (before > 0 && !other && is_or(at) && at[2] != '\0') {
            other = true;
            at += 2;
            continue;
        }
        if (!parse_term(a, &at, out, other))
            return false;
        other = other && out->count == before;
    }
    return true;
}

/* Words of texts, in order, with an empty one between texts. */
struct heap {
    char **words;
    size_t count;
};

static void gather(struct arena *a, const char *const texts[], size_t count, struct heap *out)
{
    char word[WORD_ROOM];

    out->words = arena_alloc(a, (WORDS_MAX + count) * sizeof(*out->words));
    out->count = 0;
    for (size_t i = 0; i < count; i++) {
        const char *at = texts[i] == NULL ? "" : texts[i];

        while (out->count < WORDS_MAX && next_word(&at, word))
            out->words[out->count++] = arena_text(a, word);
        out->words[out->count++] = arena_copy(a, "", 0);
    }
}

static bool stands_at(const struct words_term *t, const struct heap *h, size_t at)
{
    for (size_t i = 0; i < t->count; i++)
        if (at + i >= h->count || strcmp(h->words[at + i], t->words[i]) != 0)
            return false;
    return true;
}

static bool holds(const struct words_term *t, const struct heap *h)
{
    bool found = false;

    for (size_t at = 0; at < h->count && !found; at++)
        found = stands_at(t, h, at);
    return found != t->not ;
}

bool words_match(const struct words_query *q, const char *const texts[], size_t count)
{
    struct arena *a = arena_new();
    bool side = true, any = false;
    struct heap h;

    gather(a, texts, count, &h);
    for (size_t i = 0; i < q->count; i++) {
        if (q->terms[i].other) {
            any = any || side;
            side = true;
        }
        side = side && holds(&q->terms[i], &h);
    }
    arena_free(a);
    return q->count > 0 && (any || side);
}

void word_token(const uint8_t key[SEAL_KEY], const char *word, char out[WORD_TOKEN])
{
    struct digest d = hmac_sha256(key, SEAL_KEY, word, strlen(word));

    hex_encode(d.bytes, (WORD_TOKEN - 1) / 2, out);
}

const char *words_tokens(struct arena *a, const struct words_query *q, const uint8_t key[SEAL_KEY])
{
    struct text t = text_new((size_t)WORDS_TERMS_MAX * WORDS_PHRASE_MAX * 32);
    const char *text;
    char token[WORD_TOKEN];

    for (size_t i = 0; i < q->count; i++) {
        const struct words_term *term = &q->terms[i];

        text_puts(&t, i == 0 ? "" : term->other ? " | " : " & ");
        text_puts(&t, term->not ? "!(" : "(");
        for (size_t w = 0; w < term->count; w++) {
            word_token(key, term->words[w], token);
            text_printf(&t, "%s'%s'", w == 0 ? "" : " <-> ", token);
        }
        text_puts(&t, ")");
    }
    text = arena_copy(a, t.length == 0 ? "" : t.data, t.length);
    text_free(&t);
    return text;
}

enum { MEMO = 1024 };

struct memo {
    char word[40]; /* "" for none: what is longer is not remembered */
    char token[WORD_TOKEN];
};

struct words_index {
    uint8_t key[SEAL_KEY];
    const char *mark;
    struct memo memo[MEMO];
};

struct words_index *words_index_new(const uint8_t key[SEAL_KEY], const char *mark)
{
    struct words_index *x = calloc(1, sizeof(*x));

    if (x == NULL)
        abort();
    (void)pthread_once(&once, load_unicode);
    memcpy(x->key, key, sizeof(x->key));
    x->mark = mark;
    return x;
}

void words_index_free(struct words_index *x)
{
    OPENSSL_cleanse(x, sizeof(*x));
    free(x);
}

static const char *token_of(struct words_index *x, const char *word)
{
    size_t length = strlen(word), slot = length;
    struct memo *m;

    for (size_t i = 0; i < length; i++)
        slot = slot * 31 + (unsigned char)word[i];
    m = &x->memo[slot % MEMO];
    if (length < sizeof(m->word) && strcmp(m->word, word) == 0)
        return m->token;
    word_token(x->key, word, m->token);
    m->word[0] = '\0';
    if (length < sizeof(m->word))
        memcpy(m->word, word, length + 1);
    return m->token;
}

void words_vector(struct words_index *x, const char *const texts[], size_t count, struct text *out)
{
    char word[WORD_ROOM];
    size_t place = 0;

    text_printf(out, "'%s'", x->mark);
    for (size_t i = 0; i < count; i++, place += PHRASE_GAP) {
        const char *at = texts[i] == NULL ? "" : texts[i];

        while (place < WORDS_MAX && next_word(&at, word))
            text_printf(out, " '%s':%zu", token_of(x, word), ++place);
    }
}
