/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMPORT_SOURCE_H
#define IMPORT_SOURCE_H

#include "clients/cli/cli.h"

#include <stdint.h>
#include <stdio.h>

/* The MLflow server that is read. Only its own address is ever asked: redirects are not followed
 * and no URI that it names is. An answer is at most 64 MiB of JSON; files go to a sink. */
struct source;

/* SIZE_UNSAID: how much is taken of a file whose size is not said; MLflow leaves out that of empty
 * ones.
 */
enum { SOURCE_ANSWER_MAX = 64 << 20, SIZE_UNSAID = 1 << 30 };

/* Dies unless uri is http or https, without user or query, and credentials
 * (MLFLOW_SOURCE_TOKEN, or MLFLOW_SOURCE_USERNAME and _PASSWORD) are kept from the open network. */
struct source *source_open(const struct cli *c, const char *uri);
void source_close(struct source *s);
const char *source_uri(const struct source *s);

/* The object that answers a GET (body NULL) or POST, owned by c->arena. NULL, with *why saying so,
 * for anything else. What is busy or broken is asked again some times; dies when the source cannot
 * be reached, or wants other credentials. */
json_t *source_ask(const struct cli *c, struct source *s, const char *path, const json_t *body,
                   const char **why);
/* Whether the last answer was that there is no such thing, or no such route. */
bool source_absent(const struct source *s);

/* The bytes of a file into out, from its beginning; false, with *why, unless they all came. Never
 * more than most. */
bool source_file(const struct cli *c, struct source *s, const char *path, FILE *out, int64_t most,
                 const char **why);

/* All pages of a list. For each item on_item(context, item), once for each text of its member id
 * (dots go deeper); the item lives until the call returns. A page that brings nothing new, though
 * it names another, ends the list. body holds what is asked for besides the page; NULL for a GET.
 * NULL when every page came, else why not. */
struct list {
    const char *path;
    json_t *body;
    const char *member;
    const char *id;
    void (*on_item)(void *context, json_t *item);
    void *context;
};
struct import;
const char *source_list(struct import *im, const struct list *l);

#endif
