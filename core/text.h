/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_TEXT_H
#define CORE_TEXT_H

#include "core/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Text that grows up to a stated maximum. Appending past it sets failed and changes nothing more,
 * so a writer appends blindly and asks once. Whoever made it frees it with text_free. */
struct text {
    char *data; /* NUL-terminated; NULL while empty */
    size_t length;
    size_t max;
    bool failed;
    size_t room;
};

struct text text_new(size_t max);
void text_free(struct text *t);
void text_add(struct text *t, const char *data, size_t length);
void text_puts(struct text *t, const char *s);
void text_printf(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Lower-case hexadecimal; out holds 2 * length + 1. */
void hex_encode(const void *data, size_t length, char *out);
/* Exactly 2 * length lower- or upper-case digits and the end of text. */
bool hex_decode(const char *text, void *out, size_t length);

/* RFC 3986 §2.1. The byte of an escape ("%2f"); -1 for two digits that are none, or cut off by
 * left, which counts text's bytes from the '%'. */
int percent_byte(const char *text, size_t left);
/* Every escape as its byte, and in a form (application/x-www-form-urlencoded) '+' as a blank. out
 * has room for length bytes; gives their count, or -1 for a malformed escape. What the bytes may be
 * is the caller's to judge. */
long percent_decode(const char *text, size_t length, bool form, char *out);
/* All but letters, digits and -._~ escaped; an arena string. */
char *percent_encode(struct arena *a, const char *text);

/* RFC 4648 §4 with padding, and §5 without. The encoders return an arena string. The decoders are
 * strict (alphabet, padding, zero trailing bits), write at most max bytes and return the count, or
 * -1. */
char *base64_encode(struct arena *a, const void *data, size_t length);
long base64_decode(const char *text, size_t text_length, void *out, size_t max);
char *base64url_encode(struct arena *a, const void *data, size_t length);
long base64url_decode(const char *text, size_t text_length, void *out, size_t max);

/* [a-z0-9][a-z0-9._-]{0,62}: the name of a tenant, project, asset, user, endpoint or alias. */
bool name_valid(const char *text);
/* A relative file path inside a version: '/'-separated parts, none empty, "." or "..", no
 * backslash, no control character, valid UTF-8, at most 512 bytes. */
bool path_valid(const char *text);
bool utf8_valid(const char *text, size_t length);

/* Decimal digits only, no sign or blanks, at most max. */
bool uint_parse(const char *text, uint64_t max, uint64_t *out);

/* UUIDv7 (RFC 9562 §5.7), 36 characters; ids made in one process increase. */
enum { ID_SIZE = 37 };
void id_new(char out[ID_SIZE]);
bool id_valid(const char *text);

/* Milliseconds since 1970, and RFC 3339 with milliseconds and Z ("2026-01-31T08:00:00.123Z", 25
 * bytes). */
enum { TIME_SIZE = 25 };
int64_t time_now_ms(void);
void time_format(int64_t ms, char out[TIME_SIZE]);
bool time_parse(const char *text, int64_t *ms);
/* A clock that never goes back, in milliseconds. */
int64_t time_steady_ms(void);

#endif
