/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_CATALOGUE_H
#define REGISTRY_CATALOGUE_H

#include "auth/auth.h"
#include "core/request.h"

/* Assets of every kind and of every project that the caller may read, searched together. */
struct catalogue_entry {
    const char *path; /* "credit/models/risk", by which they are ordered */
    const char *kind;
    const char *name;
    const char *project;
    const char *description;
    json_t *tags;
    int64_t versions;
    const char *updated_at;
    struct texts shared_with; /* projects where the caller may read that may read it too */
};
extern const struct field catalogue_fields[];

/* As it is asked: NULL for what is not. */
struct catalogue_question {
    const char *q;
    const char *kind;
    const char *tag; /* "key:value" */
    const char *project;
};

struct catalogue_search {
    struct readable_things may;
    const char *q; /* words, "quoted ones", -not this; or the beginning of a name; NULL */
    const char *kind;
    const char *project; /* whose it is, or that it is shared with */
    const json_t *tags;  /* to be contained */
    const char *after;
    int64_t limit;
};
MUST_CHECK enum err catalogue_list(struct request *rq, const struct catalogue_search *s,
                                   struct rows *out);
/* {"kind":{…},"project":{…},"tag":{…},"complete":…}: how many of what is found have what; of the
 * first CATALOGUE_COUNTED when there is more. */
enum { CATALOGUE_COUNTED = 10000 };
MUST_CHECK enum err catalogue_facets(struct request *rq, const struct catalogue_search *s,
                                     const char **json);

/* What of it can be answered, and what the caller may be shown: ERR_INVALID names the parameter. */
MUST_CHECK enum err catalogue_read(struct request *rq, const struct catalogue_question *asked,
                                   struct catalogue_search *s);
/* One page of what is found. */
enum err catalogue_reply(struct request *rq, const struct catalogue_question *asked);

#endif
