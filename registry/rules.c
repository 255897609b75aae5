/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/rules.h"

#include "core/log.h"

#include <string.h>

/* Offsets within the nested structs, which the record fields add to theirs. */
#define TRAIN_AT(member) (offsetof(struct rules, train.member) - offsetof(struct rules, train))
#define PROMOTE_AT(member)                                                                         \
    (offsetof(struct rules, promote.member) - offsetof(struct rules, promote))

static const struct field train_fields[] = {
    {.name = "approvals",
     .type = FIELD_INT,
     .offset = TRAIN_AT(approvals),
     .max = RULES_APPROVALS_MAX,
     .help = "how many people must approve a training job; 0: none"},
    FIELDS_END,
};

static const struct field promote_fields[] = {
    {.name = "approvals",
     .type = FIELD_INT,
     .offset = PROMOTE_AT(approvals),
     .min = 1,
     .max = RULES_APPROVALS_MAX,
     .help = "how many people must approve a promotion"},
    {.name = "aliases",
     .type = FIELD_TEXTS,
     .offset = PROMOTE_AT(aliases),
     .min = 1,
     .max = RULES_ALIASES_MAX,
     .help = "aliases that only an approved promotion moves"},
    FIELDS_END,
};

const struct field rules_fields[] = {
    RECORD(struct rules, train, train_fields),
    RECORD(struct rules, promote, promote_fields),
    INT(struct rules, approval_hours, 1, RULES_HOURS_MAX),
    OPT_INT(struct rules, trace_days, 0, RULES_DAYS_MAX),
    OPT_BOOL(struct rules, refuse_pickle),
    FIELDS_END,
};

static const char *usual_aliases[] = {"production"};
const struct rules rules_usual = {
    .train = {.approvals = 1},
    .promote = {.approvals = 1, .aliases = {.items = usual_aliases, .count = 1}},
    .approval_hours = 720,
};

static enum err refuse(struct request *rq, const char *prefix, const char *why)
{
    rq->target = arena_printf(rq->arena, "%s%.*s", prefix, (int)strcspn(why, " :["), why);
    return fail(rq, ERR_INVALID, "%s%s", prefix, why);
}

bool rules_protect(const struct rules *p, const char *alias)
{
    for (size_t i = 0; i < p->promote.aliases.count; i++)
        if (strcmp(p->promote.aliases.items[i], alias) == 0)
            return true;
    return false;
}

/* Aliases that nothing can ever be called would look like protection and be none. */
static const char *aliases_refused(struct arena *a, const struct texts *aliases)
{
    for (size_t i = 0; i < aliases->count; i++) {
        if (!name_valid(aliases->items[i]))
            return arena_printf(a, "promote: aliases[%zu] is not a name an alias can have", i);
        for (size_t j = 0; j < i; j++)
            if (strcmp(aliases->items[i], aliases->items[j]) == 0)
                return arena_printf(a, "promote: aliases has \"%s\" twice", aliases->items[i]);
    }
    return NULL;
}

enum err rules_read(struct request *rq, const char *prefix, const json_t *json, struct rules *out)
{
    const char *why = NULL;

    *out = (struct rules){.approval_hours = 0};
    if (field_from_json(rq->arena, rules_fields, json, out, &why) == OK)
        why = aliases_refused(rq->arena, &out->promote.aliases);
    return why == NULL ? OK : refuse(rq, prefix, why);
}

struct stored {
    json_t *policy;
};

static const struct field stored_fields[] = {
    OBJECT(struct stored, policy),
    FIELDS_END,
};

QUERY(rules_load_sql, "SELECT p.policy FROM project p"
                      " WHERE p.tenant_id = current_tenant() AND p.id = $1::uuid");

enum err rules_load(struct db *db, const char *project_id, struct rules *out)
{
    struct stored s;
    const char *why = NULL;

    TRY(db_one(db, &rules_load_sql, stored_fields, &s, PARAMS(P_TEXT(project_id))));
    *out = (struct rules){.approval_hours = 0};
    if (field_from_json(db->arena, rules_fields, s.policy, out, &why) == OK)
        return OK;
    log_ours("the policy of project %s does not read: %s", project_id, why);
    return ERR_INTERNAL;
}
