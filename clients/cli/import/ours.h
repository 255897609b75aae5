/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMPORT_OURS_H
#define IMPORT_OURS_H

#include "clients/cli/http.h"
#include "clients/cli/import/import.h"

/* What our service says to an MLflow request in the project. */
struct said {
    json_t *json;     /* owned by the unit's arena; NULL for no JSON */
    const char *code; /* MLflow's error_code; NULL for a success */
    const char *why;  /* its message */
    const char *file; /* digest of a file that was sent */
};

/* body NULL for a GET. What is busy or cut off is asked again: every request that the import makes
 * is the same once or twice. Dies when the service cannot be reached, fails, or knows us no more.
 */
struct said ours_ask(struct import *im, const char *method, const char *path, const json_t *body);
bool ours_absent(const struct said *s);
/* A change that must be taken: false, with a difference of what, when it is refused. */
bool ours_tell(struct import *im, const char *method, const char *path, json_t *body,
               const char *what);
/* PUT size bytes of file under that digest. */
struct said ours_put(struct import *im, const char *path, FILE *file, int64_t size,
                     const char *digest);

#define OURS "/api/2.0/mlflow"

/* Members of what strangers say: NULL and 0 for what is missing or of another type. */
const char *text_at(const json_t *object, const char *path);
int64_t number_at(const json_t *object, const char *path);
/* The value of the {"key":…,"value":…} item of that key; NULL for none. */
const char *pair_value(const json_t *pairs, const char *key);
/* At most max bytes of a UTF-8 text, cut between characters. */
const char *text_cut(const struct import *im, const char *text, size_t max);
/* {"key":…, "value":…} */
json_t *pair_new(const char *key, const char *value);

/* The id that a thing has here: as it is when it is of the usual form (32 hexadecimal digits, after
 * "m-" for models), unless new ones are wanted. */
const char *id_here(const struct import *im, const char *source_id, bool model);
/* An asset's name made of any name: lower case, every other run of characters one '-', at most 63.
 */
const char *name_here(const struct import *im, const char *name);

#endif
