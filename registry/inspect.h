/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_INSPECT_H
#define REGISTRY_INSPECT_H

#include "core/request.h"

/* Looks into a file before its version becomes ready: kind is "dataset" for a CSV file, "model" for
 * an ONNX file. fd is open for reading and stays the caller's. *facts gets a new object of what was
 * found, which joins the manifest (columns and rows; signature). ERR_CONTENT with a detail for what
 * the client must mend. Runs outside any transaction and may take long. */
typedef enum err (*inspect_fn)(struct request *rq, const char *kind, int fd, json_t **facts);

/* By the floor that has the engine, once at the start. */
void inspect_register(inspect_fn fn);
/* ERR_UNAVAILABLE while nothing is registered. */
MUST_CHECK enum err inspect(struct request *rq, const char *kind, int fd, json_t **facts);

#endif
