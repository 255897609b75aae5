/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/audit_entry.h"

#include "lineage/canonical.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

static const char tenant[] = "00000000-0000-7000-8000-00000000000a";
static const char request[] = "00000000-0000-7000-8000-0000000000ee";
static struct arena *a;

static struct audit_event plain_event(void)
{
    return (struct audit_event){
        .actor_id = "00000000-0000-7000-8000-0000000000aa",
        .actor = "alice",
        .tenant = "acme",
        .action = "post_approval_decision",
        .method = "POST",
        .project = "credit",
        .object = "approvals/1 \"quoted\" \\ \n \x01 \xc3\xa9",
        .request = request,
        .remote = "127.0.0.1",
        .outcome = ERR_FOUR_EYES,
        .status = 403,
        .failure = "alice asked for it",
    };
}

static bool canonical(const char *text)
{
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    struct text again = text_new(1 << 20);
    bool same = json != NULL && canonical_json(json, &again) == OK && strcmp(again.data, text) == 0;

    json_decref(json);
    text_free(&again);
    return same;
}

static const char *member(const char *text, const char *name)
{
    json_t *json = json_loads(text, 0, NULL);
    const char *value = arena_text(a, json_string_value(json_object_get(json, name)));

    json_decref(json);
    return value == NULL ? "" : value;
}

static void stored(const struct audit_event *e, struct audit_made *m, struct audit_row *row)
{
    char *hash = arena_alloc(a, 65), *salt = arena_alloc(a, 65);
    int64_t ms = 0;

    audit_make(a, tenant, e, m);
    hex_encode(m->hash.bytes, SHA256_SIZE, hash);
    hex_encode(m->salt, sizeof(m->salt), salt);
    (void)time_parse(m->at, &ms);
    *row = (struct audit_row){.index = 7,
                              .at_ms = ms,
                              .id = m->id,
                              .actor = m->actor,
                              .action = e->action,
                              .project = m->project,
                              .object = m->object,
                              .outcome = err_slug(e->outcome),
                              .request = e->request,
                              .leaf = m->leaf,
                              .leaf_hash = hash,
                              .hash = hash,
                              .salt = salt,
                              .payload = m->payload};
}

static void leaf_and_payload_are_canonical(void)
{
    struct audit_event e = plain_event();
    struct audit_made m;

    audit_make(a, tenant, &e, &m);
    CHECK(canonical(m.leaf));
    CHECK(canonical(m.payload));
    CHECK(strcmp(member(m.leaf, "outcome"), "four-eyes") == 0);
    CHECK(strcmp(member(m.leaf, "object"), e.object) == 0);
    CHECK(strcmp(member(m.payload, "failure"), e.failure) == 0);
    CHECK(strstr(m.leaf, "alice") == NULL && strstr(m.leaf, "127.0.0.1") == NULL);
}

static void secrets_are_not_written_down(void)
{
    struct audit_event e = plain_event();
    json_t *body = json_loads("{\"user\":\"u\",\"password\":\"hunter2\",\"code\":\"hunter2\","
                              "\"deep\":[{\"token\":\"hunter2\",\"client_secret\":[\"hunter2\"]}],"
                              "\"new\":\"hunter2\",\"current\":{\"x\":\"hunter2\"}}",
                              0, NULL);
    struct audit_made m;

    e.body = body;
    audit_make(a, tenant, &e, &m);
    CHECK(strstr(m.payload, "hunter2") == NULL);
    CHECK(strstr(m.payload, "[redacted]") != NULL && strstr(m.payload, "\"user\":\"u\"") != NULL);
    CHECK(canonical(m.payload));
    CHECK(strcmp(json_string_value(json_object_get(body, "password")), "hunter2") == 0);
    json_decref(body);
}

static void large_bodies_are_cut(void)
{
    struct audit_event e = plain_event();
    json_t *list = json_array();
    struct audit_made m;

    for (int i = 0; i < 100000; i++)
        json_array_append_new(list, json_string("\xc3\xa9\"\\"));
    e.body = list;
    audit_make(a, tenant, &e, &m);
    CHECK(canonical(m.payload));
    CHECK(strlen(m.payload) > 20000 && strlen(m.payload) < 8 * AUDIT_BODY_MAX);
    json_decref(list);
}

static void hostile_words_still_make_an_entry(void)
{
    struct audit_event e = plain_event();
    char *longest = arena_alloc(a, 100001);
    struct audit_made m;

    memset(longest, '\x02', 100000);
    e.object = e.failure = e.remote = e.actor = e.project = longest;
    audit_make(a, tenant, &e, &m);
    CHECK(canonical(m.leaf) && canonical(m.payload));
    CHECK(strlen(m.leaf) <= 65535);
    e.object = "bad \xff utf-8 \xc3";
    audit_make(a, tenant, &e, &m);
    CHECK(canonical(m.leaf));
    CHECK(strcmp(m.object, "bad ? utf-8 ?") == 0);
}

static void every_changed_part_is_a_fault(void)
{
    struct audit_event e = plain_event();
    struct audit_row row, changed;
    struct audit_made m;
    json_t *leaf;
    char *flipped;

    stored(&e, &m, &row);
    CHECK(audit_fault(a, &row, &leaf) == NULL);
    changed = row;
    changed.leaf = flipped = arena_text(a, row.leaf);
    flipped[12] ^= 1;
    CHECK(strcmp(audit_fault(a, &changed, &leaf), "leaf") == 0);
    changed = row;
    changed.hash = "00";
    CHECK(strcmp(audit_fault(a, &changed, &leaf), "tree") == 0);
    changed = row;
    changed.outcome = "ok";
    CHECK(strcmp(audit_fault(a, &changed, &leaf), "columns") == 0);
    changed = row;
    changed.actor = NULL;
    CHECK(strcmp(audit_fault(a, &changed, &leaf), "columns") == 0);
    changed = row;
    changed.at_ms++;
    CHECK(strcmp(audit_fault(a, &changed, &leaf), "columns") == 0);
    changed = row;
    changed.payload = "{}";
    CHECK(strcmp(audit_fault(a, &changed, &leaf), "payload") == 0);
    changed = row;
    changed.payload = changed.salt = NULL; /* erased, as the law may ask */
    CHECK(audit_fault(a, &changed, &leaf) == NULL);
    changed = row;
    changed.salt = NULL;
    CHECK(strcmp(audit_fault(a, &changed, &leaf), "payload") == 0);
}

int main(void)
{
    a = arena_new();
    RUN(leaf_and_payload_are_canonical);
    RUN(secrets_are_not_written_down);
    RUN(large_bodies_are_cut);
    RUN(hostile_words_still_make_an_entry);
    RUN(every_changed_part_is_a_fault);
    arena_free(a);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
