/* SPDX-License-Identifier: Apache-2.0 */
#include "core/db_wire.h"

#include "core/text.h"

#include <stdlib.h>
#include <string.h>

enum { ARRAY_MAX = 16 << 20 };

const struct query db_set_tenant = {"db_set_tenant", "SELECT set_config('app.tenant', $1, true)"};
static const struct query *const db_set_tenant_entry __attribute__((used, section("queries"))) =
    &db_set_tenant;

/* The order is that of CASE; were it not, no epoch would be found, and nothing written. In a
 * function as the next one it would cost every write 5 % more. */
const struct query db_enter_tenant = {
    "db_enter_tenant", "SELECT CASE WHEN set_config('app.tenant', $1, true) = $1 THEN CASE WHEN"
                       " (SELECT epoch FROM authz_epoch WHERE tenant_id = $1::uuid) = $2::bigint"
                       " THEN true ELSE tenant_stale($2) END END"};
static const struct query *const db_enter_tenant_entry __attribute__((used, section("queries"))) =
    &db_enter_tenant;

const struct query db_hold_tenant = {"db_hold_tenant", "SELECT tenant_hold($1, $2, $3)"};
static const struct query *const db_hold_tenant_entry __attribute__((used, section("queries"))) =
    &db_hold_tenant;

static void array_text(struct text *t, const struct param *p)
{
    text_puts(t, "{");
    for (size_t i = 0; i < p->length; i++) {
        text_puts(t, i == 0 ? "" : ",");
        if (p->type == PARAM_INTS) {
            text_printf(t, "%lld", (long long)((const int64_t *)p->data)[i]);
            continue;
        }
        text_puts(t, "\"");
        for (const char *c = ((const char *const *)p->data)[i]; *c != '\0'; c++) {
            if (*c == '"' || *c == '\\')
                text_puts(t, "\\");
            text_add(t, c, 1);
        }
        text_puts(t, "\"");
    }
    text_puts(t, "}");
}

static const char *array_value(struct arena *a, const struct param *p)
{
    struct text t = text_new(ARRAY_MAX);
    const char *value = NULL;

    array_text(&t, p);
    if (!t.failed)
        value = arena_copy(a, t.data, t.length);
    text_free(&t);
    return value;
}

static const char *json_value(struct arena *a, const json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);

    arena_own(a, text, free);
    return text;
}

const char *db_param(struct arena *a, const struct param *p)
{
    switch (p->type) {
    case PARAM_INT:
        return arena_printf(a, "%lld", (long long)p->number);
    case PARAM_REAL:
        return arena_printf(a, "%.17g", p->real);
    case PARAM_BOOL:
        return p->number != 0 ? "t" : "f";
    case PARAM_JSON:
        return p->data == NULL ? NULL : json_value(a, p->data);
    case PARAM_TEXTS:
    case PARAM_INTS:
        return array_value(a, p);
    case PARAM_TEXT:
    case PARAM_BYTES:
        break;
    }
    return p->data;
}

/* What a failed statement means to us: the SQLSTATEs that are answers. */
static const struct {
    const char *sqlstate;
    enum err err;
} meanings[] = {
    {"40001", ERR_RETRY},     /* serialization_failure */
    {"40P01", ERR_RETRY},     /* deadlock_detected */
    {"23505", ERR_EXISTS},    /* unique_violation */
    {"23503", ERR_CONFLICT},  /* foreign_key_violation */
    {"23514", ERR_INVALID},   /* check_violation */
    {"22P02", ERR_NOT_FOUND}, /* invalid_text_representation: an id that is none names nothing */
    {"22003", ERR_NOT_FOUND}, /* numeric_value_out_of_range: likewise */
    {"2201B", ERR_INVALID},   /* invalid_regular_expression */
    {"22021", ERR_INVALID},   /* character_not_in_repertoire */
    {"22P05", ERR_INVALID},   /* untranslatable_character: U+0000 */
    {"CH001", ERR_FOUR_EYES}, /* raised by our own triggers, see migrations/ */
    {"CH002", ERR_UNAPPROVED}, {"CH003", ERR_CONFLICT}, {"CH004", ERR_CONFLICT},
    {"CH005", ERR_STALE},      {"53100", ERR_STORAGE}, /* disk_full */
    {"53300", ERR_DB_LOST},                            /* too_many_connections */
    {"55P03", ERR_BUSY},                               /* lock_not_available */
    {"57014", ERR_TIMEOUT}, /* query_canceled: the statement's time is up */
    {"57P01", ERR_DB_LOST}, /* admin_shutdown */
    {"57P02", ERR_DB_LOST}, /* crash_shutdown */
    {"57P03", ERR_DB_LOST}, /* cannot_connect_now */
};

bool db_send(struct db *db, const struct query *q, const struct param *params, size_t count)
{
    const char *values[DB_PARAMS_MAX];
    int lengths[DB_PARAMS_MAX];
    int formats[DB_PARAMS_MAX];

    for (size_t i = 0; i < count; i++) {
        bool bytes = params[i].type == PARAM_BYTES;

        values[i] = db_param(db->arena, &params[i]);
        lengths[i] = bytes ? (int)params[i].length : 0;
        formats[i] = bytes;
    }
    if (q->name == NULL)
        return PQsendQueryParams(db->conn, q->text, (int)count, NULL, values, lengths, formats,
                                 0) == 1;
    return PQsendQueryPrepared(db->conn, q->name, (int)count, values, lengths, formats, 0) == 1;
}

bool db_meaning(const char *sqlstate, enum err *e)
{
    for (size_t i = 0; sqlstate != NULL && i < sizeof(meanings) / sizeof(meanings[0]); i++)
        if (strcmp(meanings[i].sqlstate, sqlstate) == 0) {
            *e = meanings[i].err;
            return true;
        }
    return false;
}
