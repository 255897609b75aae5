/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/approval.h"

#include "registry/alias.h"
#include "tests/unit/registry_db.h"
#include "tests/unit/test.h"

static const char policy[] = "{\"train\":{\"approvals\":1},\"promote\":{\"approvals\":2,"
                             "\"aliases\":[\"production\"]},\"approval_hours\":1}";
static const char dave[] = "00000000-0000-7000-8000-0000000000d9";

static struct db db;
static struct arena *arena; /* of the whole program: what tests look at outlives transactions */

struct act {
    const char *who;
    const char *verdict;
    struct version version;
    struct approval approval;
    char id[ID_SIZE];
    const char *part;
    bool stands;
    json_t *evidence;
    int64_t approvals;
};

static enum err run(enum err (*body)(void *), struct act *a)
{
    db.arena = arena;
    return db_tx(&db, TX_WRITE, tenant_a, body, a);
}

static enum err make_version(void *arg)
{
    struct act *a = arg;
    struct version_file file;
    json_t *facts = json_pack("{s:{s:f, s:f}, s:[{s:s}, {s:s}]}", "metrics", "auc", 0.5 + 1.0 / 3,
                              "loss", 1e20, "features", "name", "age", "name", "income");
    char path[128], hex[65];
    enum err e;

    make_file("model", path, &file, hex);
    e = version_create(
        &db,
        &(struct version_draft){
            .project_id = project, .kind = "model", .asset = "risk", .author_id = alice},
        &a->version);
    if (e == OK)
        e = version_add_file(&db, &a->version, &file, path);
    if (e == OK)
        e = version_seal(&db, &a->version, facts);
    json_decref(facts);
    return e;
}

static enum err ask(void *arg)
{
    struct act *a = arg;
    struct approval_draft d = {.project_id = project,
                               .action = "promote",
                               .alias = "production",
                               .required = 2,
                               .hours = 1,
                               .reason = "",
                               .requested_by = a->who};
    json_t *evidence;

    TRY(approval_evidence(&db, project, &a->version, "production", &evidence));
    d.subject = version_path(arena, &a->version);
    d.version_id = a->version.id;
    d.subject_digest = a->version.digest;
    d.evidence = evidence;
    TRY(approval_file(&db, &d, a->id));
    return approval_find(&db, project, a->id, &a->approval);
}

static enum err look(void *arg)
{
    struct act *a = arg;

    TRY(approval_find(&db, project, a->id, &a->approval));
    return approval_stands(&db, project, &a->approval, &a->stands);
}

static enum err decide(void *arg)
{
    struct act *a = arg;
    const struct approval_verdict v = {.by = a->who, .verdict = a->verdict, .reason = "because"};

    TRY(approval_lock(&db, project, a->id, &a->approval));
    TRY(approval_decide(&db, &a->approval, &v, &a->approvals));
    if (a->approvals < a->approval.required)
        return OK;
    TRY(approval_close(&db, &a->approval, "approved", a->who));
    return approval_carry_out(&db, &a->approval, a->who, NULL);
}

static enum err part(void *arg)
{
    struct act *a = arg;

    return approval_part(&db, &a->approval, a->who, &a->part);
}

static enum err approve_early(void *arg)
{
    struct act *a = arg;

    return approval_close(&db, &a->approval, "approved", a->who);
}

static enum err set_alias(void *arg)
{
    struct act *a = arg;

    return alias_set(&db, &(struct alias_move){.asset_id = a->version.asset_id,
                                               .alias = "production",
                                               .version_id = a->version.id,
                                               .by = a->who});
}

static enum err take_back(void *arg)
{
    struct act *a = arg;

    TRY(approval_lock(&db, project, a->id, &a->approval));
    TRY(approval_close(&db, &a->approval, "revoked", a->who));
    return approval_undo(&db, &a->approval, a->who, "revoked");
}

static struct act begin(const char *requester)
{
    struct act a = {.who = requester};

    if (run(make_version, &a) != OK || run(ask, &a) != OK)
        abort();
    return a;
}

static enum err verdict_of(struct act *a, const char *who)
{
    a->who = who;
    a->verdict = "approve";
    return run(decide, a);
}

static void whoever_had_a_part_cannot_decide(void)
{
    struct act a = begin(bot);

    CHECK(verdict_of(&a, bot) == ERR_FOUR_EYES || verdict_of(&a, bot) == ERR_INVALID);
    CHECK(verdict_of(&a, bob) == ERR_FOUR_EYES);   /* answers for bot */
    CHECK(verdict_of(&a, alice) == ERR_FOUR_EYES); /* made the version */
    a.who = bob;
    CHECK(run(part, &a) == OK && strcmp(a.part, "requester") == 0);
    a.who = alice;
    CHECK(run(part, &a) == OK && strcmp(a.part, "author") == 0);
    a.who = carol;
    CHECK(run(part, &a) == ERR_NOT_FOUND);
}

static void a_service_account_handed_over_later_gives_no_second_voice(void)
{
    struct act a = begin(bot);

    CHECK(sql("UPDATE principal SET owner_id = '%s' WHERE id = '%s'", carol, bot));
    CHECK(verdict_of(&a, carol) == ERR_FOUR_EYES);
    CHECK(verdict_of(&a, bob) == ERR_FOUR_EYES);
    CHECK(sql("UPDATE principal SET owner_id = '%s' WHERE id = '%s'", bob, bot));
}

static void one_person_counts_once(void)
{
    struct act a = begin(alice);

    CHECK(verdict_of(&a, bob) == OK && a.approvals == 1);
    CHECK(verdict_of(&a, bot) == ERR_FOUR_EYES);
    CHECK(verdict_of(&a, bob) == ERR_FOUR_EYES);
    a.who = bot;
    CHECK(run(part, &a) == OK && strcmp(a.part, "decision") == 0);
    CHECK(run(look, &a) == OK && strcmp(a.approval.state, "pending") == 0);
    CHECK(run(approve_early, &a) == ERR_UNAPPROVED); /* the database counts too */
}

static void enough_people_move_the_alias_and_a_revocation_takes_it_away(void)
{
    struct act a = begin(alice);

    CHECK(run(set_alias, &a) == ERR_UNAPPROVED);
    CHECK(verdict_of(&a, bob) == OK && verdict_of(&a, carol) == OK);
    CHECK(run(look, &a) == OK && strcmp(a.approval.state, "approved") == 0);
    CHECK(number("SELECT count(*) FROM alias WHERE name = 'production'") == 1);
    CHECK(number("SELECT count(*) FROM lineage_edge WHERE kind = 'approve'") == 1);
    CHECK(run(set_alias, &a) == ERR_UNAPPROVED); /* without naming the approval */
    a.who = carol;
    CHECK(run(take_back, &a) == OK);
    CHECK(number("SELECT count(*) FROM alias WHERE name = 'production'") == 0);
    CHECK(number("SELECT count(*) FROM alias_history WHERE name = 'production'") == 2);
    CHECK(run(approve_early, &a) == ERR_CONFLICT); /* what is closed stays closed */
}

static void evidence_is_the_same_until_something_changes(void)
{
    struct act a = begin(alice);
    struct act b = begin(alice);

    CHECK(run(look, &a) == OK && a.stands);
    CHECK(run(look, &b) == OK && b.stands);
    CHECK(verdict_of(&a, bob) == OK && verdict_of(&a, carol) == OK);
    CHECK(run(look, &b) == OK && !b.stands); /* production means something else by now */
    CHECK(run(look, &a) == OK);
    a.who = carol;
    CHECK(run(take_back, &a) == OK);
    CHECK(run(look, &b) == OK && b.stands);
    CHECK(sql("UPDATE version SET state = 'deleted' WHERE id = '%s'", b.version.id));
    CHECK(run(look, &b) == OK && !b.stands);
}

static void evidence_compares_with_what_the_alias_means(void)
{
    struct act a = begin(alice);
    struct act b;
    const json_t *auc;

    CHECK(json_is_null(json_object_get(a.approval.evidence, "current")));
    CHECK(verdict_of(&a, bob) == OK && verdict_of(&a, carol) == OK);
    b = begin(alice);
    auc = json_object_get(json_object_get(json_object_get(b.approval.evidence, "diff"), "metrics"),
                          "auc");
    CHECK(json_real_value(json_object_get(auc, "to")) == 0.5 + 1.0 / 3);
    CHECK(json_number_value(json_object_get(auc, "change")) == 0);
    CHECK(json_integer_value(json_object_get(json_object_get(b.approval.evidence, "current"),
                                             "number")) == a.version.number);
    a.who = carol;
    CHECK(run(take_back, &a) == OK);
}

/* Behind the service's back: time passes. */
static bool expire(const char *where)
{
    return sql("ALTER TABLE approval DISABLE TRIGGER approval_frozen") &&
           sql("UPDATE approval SET expires_at = now() WHERE %s", where) &&
           sql("ALTER TABLE approval ENABLE TRIGGER approval_frozen");
}

static enum err find_production(void *arg)
{
    struct act *a = arg;
    const struct version_key key = {.kind = "model", .asset = "risk", .alias = "production"};

    return version_get(&db, project, &key, &a->version);
}

static void an_alias_means_nothing_when_its_approval_has_expired(void)
{
    struct act a = begin(alice);

    CHECK(verdict_of(&a, bob) == OK && verdict_of(&a, carol) == OK);
    CHECK(run(find_production, &a) == OK && a.version.aliases.count == 1);
    CHECK(expire("state = 'approved'"));
    CHECK(run(find_production, &a) == ERR_NOT_FOUND);
    CHECK(run(look, &a) == OK && strcmp(a.approval.state, "expired") == 0);
}

static enum err touch(void *arg)
{
    struct act *a = arg;

    TRY(version_create(
        &db,
        &(struct version_draft){
            .project_id = project, .kind = "model", .asset = "risk", .author_id = alice},
        &a->version));
    TRY(version_touch(&db, &a->version, bot));
    return version_touch(&db, &a->version, bot);
}

static enum err finish_touched(void *arg)
{
    struct act *a = arg;
    struct version_file file;
    char path[128], hex[65];

    make_file("touched", path, &file, hex);
    TRY(version_add_file(&db, &a->version, &file, path));
    return version_seal(&db, &a->version, NULL);
}

static void who_worked_on_the_files_cannot_decide(void)
{
    struct act a = {.who = alice};

    CHECK(run(touch, &a) == OK && run(finish_touched, &a) == OK && run(ask, &a) == OK);
    CHECK(number("SELECT max(cardinality(contributors)) FROM version") == 1);
    CHECK(verdict_of(&a, bob) == ERR_FOUR_EYES); /* answers for bot */
    CHECK(verdict_of(&a, carol) == OK);
    a.who = alice;
    CHECK(run(take_back, &a) == OK);
}

static void the_same_request_is_open_once(void)
{
    struct act a = begin(alice);
    struct act again = a;

    CHECK(run(ask, &again) == ERR_EXISTS);
    CHECK(expire("state = 'pending'"));
    CHECK(run(look, &a) == OK && strcmp(a.approval.state, "expired") == 0);
    CHECK(run(ask, &a) == OK && strcmp(a.approval.state, "pending") == 0);
}

int main(void)
{
    arena = arena_new();
    if (!registry_begin(policy) || db_open(&db, scratch.app) != OK ||
        !person_row(dave, "dave", NULL) ||
        !sql("INSERT INTO asset (tenant_id, id, project_id, kind, name, created_by)"
             " VALUES ('%s', gen_random_uuid(), '%s', 'model', 'risk', '%s')",
             tenant_a, project, alice))
        return EXIT_FAILURE;
    RUN(whoever_had_a_part_cannot_decide);
    RUN(a_service_account_handed_over_later_gives_no_second_voice);
    RUN(one_person_counts_once);
    RUN(enough_people_move_the_alias_and_a_revocation_takes_it_away);
    RUN(evidence_is_the_same_until_something_changes);
    RUN(evidence_compares_with_what_the_alias_means);
    RUN(an_alias_means_nothing_when_its_approval_has_expired);
    RUN(who_worked_on_the_files_cannot_decide);
    RUN(the_same_request_is_open_once);
    db_close(&db);
    arena_free(arena);
    registry_end();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
