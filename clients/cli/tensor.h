/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_TENSOR_H
#define CLI_TENSOR_H

#include "clients/cli/csv.h"

#include <jansson.h>

/* Rows of a table as the body of an Open Inference Protocol request, and its answer as rows. */

/* {"inputs":[…]} for rows first … first + count - 1 of the table (0 is the header), by the model's
 * metadata: {"inputs":[{name,datatype,shape}], "features":[{name,input,index}]}. Without features
 * an input of one column is the column of its name, and a wider one takes the table's first
 * columns. The caller owns it. NULL and *wrong when the table does not have what the model needs.
 */
json_t *tensor_request(struct arena *a, const json_t *metadata, const struct csv *table,
                       size_t count, const char **wrong);

/* The answer's outputs as [{"row":1,"o0":…,"o1":…}]; *columns names them for a table. The caller
 * owns the array. NULL when the answer contradicts itself. */
json_t *tensor_rows(struct arena *a, const json_t *answer, const char **columns);

#endif
