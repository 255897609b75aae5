/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMPORT_REGISTRY_H
#define IMPORT_REGISTRY_H

#include "clients/cli/import/ours.h"

enum { REGISTRY_TAG_LONGEST = 5000, VERSION_TAG_LONGEST = 100000 };

/* A registered model or prompt on both sides. */
struct registered {
    const char *source_name;
    const char *name; /* ours */
    const char *what; /* for people */
    const char *description;
    const json_t *ours;
    bool prompt;
    enum kind kind;
};

/* Whether it is meant: when only some experiments are, only if all of its versions came of them. */
bool versions_wanted(struct import *im, const struct registered *r);
/* The versions, in order of their numbers, which are kept. */
void versions_import(struct import *im, const struct registered *r);
/* An alias that is protected here waits for its approval. */
void aliases_import(struct import *im, const struct registered *r, const json_t *aliases);

/* What the source says within our limits; a value that had to be cut is a difference. */
const char *description_here(struct import *im, const json_t *source, const char *what);
json_t *registry_tags(struct import *im, const json_t *source, size_t longest, const char *what);
/* Nothing for no value. */
void pairs_add(json_t *tags, const char *key, const char *value);
struct said registered_show(struct import *im, const char *name);

#endif
