/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OAUTH_FORM_H
#define OAUTH_FORM_H

#include "core/request.h"

/* The parameters of an OAuth request: application/x-www-form-urlencoded in the body, or the query.
 * RFC 6749 §3.1: unknown ones are ignored, one without a value is left out, none may come twice. */
enum { FORM_MAX = 64 };
struct form {
    struct pair pairs[FORM_MAX];
    size_t count;
};

/* ERR_INVALID names what is wrong. */
MUST_CHECK enum err form_body(struct request *rq, struct form *out);
MUST_CHECK enum err form_query(struct request *rq, struct form *out);
/* The same of any text (not NUL-terminated); *why is in the arena. */
MUST_CHECK enum err form_parse(struct arena *a, const char *text, size_t length, struct form *out,
                               const char **why);
/* NULL when it is not there or empty. */
const char *form_get(const struct form *f, const char *name);

/* One value, decoded; NULL when it is malformed or hides a NUL. */
char *form_decode(struct arena *a, const char *text, size_t length);

#endif
