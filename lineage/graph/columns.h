/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAPH_COLUMNS_H
#define GRAPH_COLUMNS_H

#include "core/db.h"

enum { COLUMN_EDGES_MAX = 50000 };

/* Columns of versions of ours, as nodes named "ol-column:chancery:NODE:COLUMN" of the kind column,
 * and edges of the kind derive between them. Rows are gathered, then stored at once; a column of a
 * thing that is no node, or whose name is too long for one, is left out. */
struct column_facts {
    struct texts src, src_columns; /* node and column of each edge's upstream end */
    struct texts dst, dst_columns;
    size_t most;
};

void column_facts_begin(struct column_facts *f, struct arena *a, size_t most);
/* Nothing when any of them is NULL, or past most. Texts are borrowed. */
void column_facts_add(struct column_facts *f, const char *src, const char *src_column,
                      const char *dst, const char *dst_column);
/* TX_WRITE. */
MUST_CHECK enum err column_facts_put(struct db *db, const struct column_facts *f,
                                     const char *request_id);

#endif
