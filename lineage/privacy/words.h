/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PRIVACY_WORDS_H
#define PRIVACY_WORDS_H

#include "core/crypto.h"
#include "core/text.h"

/* Words of what entries say: runs of letters and digits (of Unicode) in lower case. The database is
 * told a token of each, 64 bits of its HMAC-SHA256 under a key of the tenant, so that it can find
 * words that it does not know. */

enum {
    WORD_ROOM = 257,      /* bytes of a word; what is longer is cut */
    WORDS_MAX = 16000,    /* of an entry; what stands further back is not found */
    WORDS_TERMS_MAX = 32, /* of a search */
    WORDS_PHRASE_MAX = 32,
    WORD_TOKEN = 17,
};

/* A search as people write it: words, "a phrase", or, -not. What has signs in it
 * ("ann@example.org", an id) is a phrase. */
struct words_term {
    bool not ;
    bool other; /* the first of the other side of an or */
    size_t count;
    const char *words[WORDS_PHRASE_MAX];
};
struct words_query {
    size_t count; /* 0: no word is asked for, and nothing found */
    struct words_term terms[WORDS_TERMS_MAX];
};

/* False when it has too many words. Words are in the arena. */
bool words_parse(struct arena *a, const char *text, struct words_query *out);
/* Whether what stands in these texts is searched for. */
bool words_match(const struct words_query *q, const char *const texts[], size_t count);
/* The search as a tsquery of tokens. */
const char *words_tokens(struct arena *a, const struct words_query *q, const uint8_t key[SEAL_KEY]);

void word_token(const uint8_t key[SEAL_KEY], const char *word, char out[WORD_TOKEN]);
/* What makes entries findable, many after the other: it remembers the tokens of words that it had
 * lately, because an HMAC is dear. Freeing wipes them. */
struct words_index;
struct words_index *words_index_new(const uint8_t key[SEAL_KEY], const char *mark);
void words_index_free(struct words_index *x);
/* Append the words of these texts as a tsvector of tokens with places, and of mark as it is. */
void words_vector(struct words_index *x, const char *const texts[], size_t count, struct text *out);

#endif
