/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/pseudonym.h"

#include "lineage/jsontext.h"

#include <string.h>

/* Where paths have a person's name: after the prefix, and so many parts. */
static const struct {
    const char *prefix;
    unsigned parts;
    bool always; /* nobody else's name stands there */
} places[] = {{"users/", 0, true},
              {"bindings/", 0, false},
              {"eligible/", 0, false},
              {"ceilings/", 0, false},
              {"groups/", 1, false}};

struct place {
    const char *name; /* NULL for none */
    size_t length;
    bool always;
};

static struct place place_of(const char *object)
{
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        const char *at = object + strlen(places[i].prefix);

        if (strncmp(object, places[i].prefix, strlen(places[i].prefix)) != 0)
            continue;
        for (unsigned part = 0; part < places[i].parts && at != NULL; part++) {
            at = strchr(at, '/');
            at = at == NULL ? NULL : at + 1;
        }
        return (struct place){at, at == NULL ? 0 : strcspn(at, "/"), places[i].always};
    }
    return (struct place){NULL, 0, false};
}

QUERY(pseudonym_sql, "SELECT id FROM principal"
                     " WHERE tenant_id = $1::uuid AND name = $2 AND kind = 'user'");

static enum err find(struct db *db, const struct caller *caller, const char *name, const char **id)
{
    PGresult *rows;

    *id = NULL;
    if (caller != NULL && caller->kind == PRINCIPAL_USER && strcmp(caller->name, name) == 0) {
        *id = caller->id;
        return OK;
    }
    TRY(db_rows(db, &pseudonym_sql, &rows, PARAMS(P_TEXT(db->tenant), P_TEXT(name))));
    if (PQntuples(rows) > 0)
        *id = PQgetvalue(rows, 0, 0);
    return OK;
}

enum err pseudonym_of(struct db *db, const struct caller *caller, const char *object,
                      const char **out)
{
    const struct place p = object == NULL ? (struct place){NULL, 0, false} : place_of(object);
    const char *id;

    *out = object;
    if (p.name == NULL || p.length == 0)
        return OK;
    TRY(find(db, caller, text_clean(db->arena, arena_copy(db->arena, p.name, p.length), 255), &id));
    if (id == NULL && !p.always)
        return OK;
    *out = arena_printf(db->arena, "%.*s%s%s", (int)(p.name - object), object,
                        id == NULL ? "unknown" : id, p.name + p.length);
    return OK;
}

const char *pseudonym_subject(struct arena *a, const char *object)
{
    static const char accounts[] = "service-accounts/";
    const struct place p = object == NULL ? (struct place){NULL, 0, false} : place_of(object);
    const char *name;

    if (p.name != NULL) {
        name = arena_copy(a, p.name, p.length);
        return id_valid(name) ? name : NULL;
    }
    if (object == NULL || strncmp(object, accounts, sizeof(accounts) - 1) != 0)
        return NULL;
    name = object + sizeof(accounts) - 1;
    name = arena_copy(a, name, strcspn(name, "/"));
    return name_valid(name) ? arena_printf(a, "%s%s", accounts, name) : NULL;
}
