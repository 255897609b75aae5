/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/privacy/leave.h"

#include "lineage/privacy/payload.h"

#include <stdlib.h>
#include <string.h>

static const int64_t day_ms = INT64_C(24) * 3600 * 1000;
static const char head[] = "erasure ";

/* In the tree, or about to be. */
QUERY(leave_leaves, "SELECT e.leaf FROM audit_entry e WHERE e.tenant_id = $1::uuid"
                    " AND e.outcome = 'ok'"
                    " AND e.action IN ('post_audit_erasure_decision', 'audit_erasure_part')"
                    " AND (EXISTS (SELECT FROM audit_leaf l WHERE l.tenant_id = $1::uuid"
                    "               AND l.seq = e.seq)"
                    "  OR EXISTS (SELECT FROM audit_pending p WHERE p.tenant_id = $1::uuid"
                    "              AND p.seq = e.seq))");

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The statement of an erasure's leaf, owned by the arena; "" where there is none. */
static const char *statement_of(struct arena *a, const char *leaf)
{
    json_t *json = json_loads(leaf, JSON_REJECT_DUPLICATES, NULL);
    const char *said = json_string_value(json_object_get(json, "statement"));
    const char *copy =
        said != NULL && strncmp(said, head, sizeof(head) - 1) == 0 ? arena_text(a, said) : "";

    json_decref(json);
    return copy;
}

static size_t count_lines(const char *text)
{
    size_t n = 1;

    for (; *text != '\0'; text++)
        n += *text == '\n';
    return n;
}

/* All words of lines, but "erasure". */
static void add_lines(struct arena *a, const char *text, struct leave *out)
{
    const char *at = *text == '\0' ? text : text + sizeof(head) - 1;

    while (*at != '\0') {
        size_t n = strcspn(at, "\n");

        out->said[out->count++] = arena_copy(a, at, n);
        at += n + (at[n] == '\n');
    }
}

enum err leave_read(struct db *db, struct leave *out)
{
    const char **statements;
    size_t lines = 0, rows;
    PGresult *leaves;

    TRY(db_rows(db, &leave_leaves, &leaves, PARAMS(P_TEXT(db->tenant))));
    rows = (size_t)PQntuples(leaves);
    statements = arena_alloc(db->arena, (rows + 1) * sizeof(*statements));
    for (size_t i = 0; i < rows; i++) {
        statements[i] = statement_of(db->arena, PQgetvalue(leaves, (int)i, 0));
        lines += count_lines(statements[i]);
    }
    *out = (struct leave){.said = arena_alloc(db->arena, (lines + 1) * sizeof(*out->said))};
    for (size_t i = 0; i < rows; i++)
        add_lines(db->arena, statements[i], out);
    qsort(out->said, out->count, sizeof(*out->said), compare);
    return OK;
}

static bool says(const struct leave *l, const char *id)
{
    return bsearch(&id, l->said, l->count, sizeof(*l->said), compare) != NULL;
}

bool leave_covers(const struct leave *l, const struct audit_row *row)
{
    const char *subject = payload_silenced(row);

    if (row->payload != NULL || row->spoilt || says(l, row->id))
        return true;
    if (row->sealed == NULL)
        return time_now_ms() - row->at_ms >= RETENTION_FLOOR_DAYS * day_ms;
    /* It was written while the erasure ran, which did not see it. Keys of service accounts have
     * names, and erasures say ids. */
    return subject == NULL || says(l, subject) || !id_valid(subject);
}
