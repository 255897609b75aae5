/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/document/record.h"

#include <string.h>

QUERY(record_sql, "SELECT model_record($1, $2, $3::bigint)::text");

static void release_json(void *json)
{
    json_decref(json);
}

enum err record_of(struct db *db, const char *project, const char *model, int64_t number,
                   json_t **out)
{
    PGresult *rows;

    TRY(db_rows(db, &record_sql, &rows, PARAMS(P_TEXT(project), P_TEXT(model), P_INT(number))));
    if (PQntuples(rows) != 1 || PQgetisnull(rows, 0, 0))
        return ERR_NOT_FOUND;
    *out = json_loads(PQgetvalue(rows, 0, 0), JSON_DECODE_ANY, NULL);
    if (*out == NULL)
        return ERR_INTERNAL;
    arena_own(db->arena, *out, release_json);
    return OK;
}

const char *record_text(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));

    return text == NULL ? "" : text;
}

const char *record_second(struct arena *a, const char *time)
{
    return strlen(time) < 19 ? time : arena_printf(a, "%.19sZ", time);
}

void document_lacks(struct document *d, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    json_array_append_new(d->missing, json_string(arena_vprintf(d->arena, format, args)));
    va_end(args);
}
