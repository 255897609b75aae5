/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/bundle/bundle_head.h"

#include "lineage/canonical.h"
#include "lineage/document/dsse.h"
#include "lineage/document/record.h"
#include "lineage/sealed/seal.h"
#include "registry/file_http.h"
#include "registry/reply.h"

#include <stdlib.h>
#include <string.h>

static void release_text(void *text)
{
    text_free(text);
}

static struct text *new_text(struct sealing *b)
{
    struct text *t = arena_alloc(b->rq->arena, sizeof(*t));

    *t = text_new(SEALED_HEAD_MAX);
    arena_own(b->rq->arena, t, release_text);
    return t;
}

static void *room_for_one(struct arena *a, void *items, size_t count, size_t *room, size_t size)
{
    void *more;

    if (count < *room)
        return items;
    *room = 2 * *room + 64;
    more = arena_alloc(a, *room * size);
    if (count > 0)
        memcpy(more, items, count * size);
    return more;
}

static void add_member(struct sealing *b, const struct sealed_member *m)
{
    b->members = room_for_one(b->rq->arena, b->members, b->member_count, &b->member_room,
                              sizeof(*b->members));
    b->members[b->member_count++] = *m;
}

static void add_object(struct sealing *b, const char *object)
{
    b->objects.items = room_for_one(b->rq->arena, b->objects.items, b->objects.count,
                                    &b->object_room, sizeof(*b->objects.items));
    b->objects.items[b->objects.count++] = object;
}

static void add_bytes(struct sealing *b, const char *name, const char *data, size_t length)
{
    add_member(b, &(struct sealed_member){.name = name,
                                          .size = (int64_t)length,
                                          .sha256 = sha256_of(data, length),
                                          .data = data});
}

static enum err add_json(struct sealing *b, const char *name, const json_t *json)
{
    struct text *t = new_text(b);
    enum err e = canonical_json(json, t);

    if (e != OK)
        return fail(b->rq, e, "%s is too large to be sealed", name);
    add_bytes(b, name, t->data, t->length);
    return OK;
}

QUERY(bundle_record_sql,
      "SELECT json_build_object('record', version_record(v.id),"
      "  'contributors', (SELECT coalesce(json_agg(principal_name(c)), '[]')"
      "                     FROM unnest(v.contributors) c),"
      "  'approvals', approvals_record(v.id, v.job_id),"
      "  'evidence', (SELECT coalesce(json_object_agg(x.id, x.evidence), '{}') FROM approval x"
      "    WHERE x.tenant_id = v.tenant_id AND (x.version_id = v.id OR x.job_id = v.job_id)))::text"
      " FROM version v WHERE v.tenant_id = current_tenant() AND v.id = $1::uuid");

static enum err load_record(struct sealing *b, const struct version *v, json_t **out)
{
    PGresult *rows;

    TRY(db_rows(b->rq->db, &bundle_record_sql, &rows, PARAMS(P_TEXT(v->id))));
    if (PQntuples(rows) != 1)
        return ERR_NOT_FOUND;
    *out = json_loads(PQgetvalue(rows, 0, 0), 0, NULL);
    if (*out == NULL)
        return ERR_INTERNAL;
    arena_own(b->rq->arena, *out, json_release);
    return OK;
}

/* What is on record of a version, without what the manifest says, with what its approvals rest on.
 */
static enum err version_facts(struct sealing *b, const struct version *v, json_t **out)
{
    json_t *loaded = NULL, *record, *approval;
    size_t i;

    TRY(load_record(b, v, &loaded));
    record = json_object_get(loaded, "record");
    (void)json_object_del(record, "manifest");
    (void)json_object_del(record, "files");
    json_object_set(record, "tags", v->tags);
    json_object_set(record, "contributors", json_object_get(loaded, "contributors"));
    json_object_set(record, "approvals", json_object_get(loaded, "approvals"));
    json_array_foreach(json_object_get(record, "approvals"), i, approval)
    {
        const char *id = record_text(approval, "id");

        json_object_set(approval, "evidence",
                        json_object_get(json_object_get(loaded, "evidence"), id));
        add_object(b, arena_printf(b->rq->arena, "approvals/%s", id));
    }
    add_object(b, version_path(b->rq->arena, v));
    *out = record;
    return OK;
}

static enum err add_versions(struct sealing *b)
{
    json_t *list = json_array(), *file = json_pack("{s:o}", "versions", list), *facts;

    arena_own(b->rq->arena, file, json_release);
    for (size_t i = 0; i < b->count; i++) {
        TRY(version_facts(b, &b->versions[i], &facts));
        json_array_append(list, facts);
    }
    return add_json(b, SEALED_VERSIONS, file);
}

static enum err add_file(struct sealing *b, const json_t *file)
{
    struct sealed_member m = {
        .name = arena_printf(b->rq->arena, SEALED_FILES "%s", record_text(file, "sha256")),
        .size = json_integer_value(json_object_get(file, "size"))};

    if (!sealed_hex(record_text(file, "sha256"), &m.sha256))
        return ERR_INTERNAL;
    add_member(b, &m);
    return OK;
}

static enum err add_manifest(struct sealing *b, const struct version *v)
{
    const json_t *file;
    size_t i;

    TRY(add_json(b, arena_printf(b->rq->arena, SEALED_MANIFESTS "%s", v->digest), v->manifest));
    json_array_foreach(json_object_get(v->manifest, "files"), i, file)
    {
        TRY(add_file(b, file));
    }
    return OK;
}

/* The statements that can be made: none is made of what is not on record. */
static enum err add_documents(struct sealing *b, const struct version *v)
{
    static const struct {
        const char *word;
        json_t *(*make)(struct document *d);
    } kinds[] = {{"provenance", document_slsa}, {"approval", document_approval}};
    struct arena *a = b->rq->arena;
    struct document d = {.arena = a};
    json_t *record, *made, *envelope;

    if (strcmp(v->kind, "model") != 0)
        return OK;
    TRY(record_of(b->rq->db, v->project, v->asset, v->number, &record));
    d.record = record;
    d.url = arena_printf(a, "https://%.*s", (int)strcspn(b->log.origin, "/"), b->log.origin);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct text *t = new_text(b);

        d.missing = json_array();
        arena_own(a, d.missing, json_release);
        made = kinds[i].make(&d);
        arena_own(a, made, json_release);
        if (json_array_size(d.missing) > 0)
            continue;
        TRY(canonical_json(made, t));
        TRY(dsse_sign(b->rq->db, "application/vnd.in-toto+json", t, &envelope));
        arena_own(a, envelope, json_release);
        TRY(add_json(b,
                     arena_printf(a, SEALED_DOCUMENTS "%s.%s.dsse.json", v->digest, kinds[i].word),
                     envelope));
    }
    return OK;
}

static enum err add_history(struct sealing *b)
{
    const struct graph_export of = {
        .walk = &b->history, .project = b->rq->project, .objects = b->objects};
    struct text *t = new_text(b);
    json_t *json;

    text_puts(t, "{");
    TRY(graph_export(b->rq, &of, t, &b->log));
    text_puts(t, "}");
    json = t->failed ? NULL : json_loadb(t->data, t->length, 0, NULL);
    if (json == NULL)
        return fail(b->rq, ERR_TOO_LARGE, "the history is too large to be sealed");
    arena_own(b->rq->arena, json, json_release);
    add_bytes(b, SEALED_HEAD, b->log.checkpoint, strlen(b->log.checkpoint));
    return add_json(b, SEALED_LINEAGE, json);
}

static int by_name(const void *one, const void *other)
{
    return sealed_compare(((const struct sealed_member *)one)->name,
                          ((const struct sealed_member *)other)->name);
}

/* In order, each once. */
static void settle(struct sealing *b)
{
    size_t kept = 0;

    qsort(b->members, b->member_count, sizeof(*b->members), by_name);
    for (size_t i = 0; i < b->member_count; i++)
        if (kept == 0 || strcmp(b->members[kept - 1].name, b->members[i].name) != 0)
            b->members[kept++] = b->members[i];
    b->member_count = kept;
}

static json_t *member_list(const struct sealing *b)
{
    json_t *list = json_array();
    char hex[2 * SHA256_SIZE + 1];

    for (size_t i = 0; i < b->member_count; i++) {
        const struct sealed_member *m = &b->members[i];

        hex_encode(m->sha256.bytes, SHA256_SIZE, hex);
        json_array_append_new(list, json_pack("{s:s, s:s, s:I}", "name", m->name, "sha256", hex,
                                              "size", (json_int_t)m->size));
    }
    return list;
}

static enum err write_listing(struct sealing *b, struct text *out)
{
    char vkey[NOTE_VKEY_SIZE], now[TIME_SIZE];
    json_t *versions = json_array(), *listing;
    struct note_key key;

    TRY(note_key(b->log.origin, b->log.public, &key));
    note_vkey(&key, vkey);
    time_format(time_now_ms(), now);
    for (size_t i = 0; i < b->count; i++)
        json_array_append_new(versions, json_string(version_node(b->rq->arena, &b->versions[i])));
    listing =
        json_pack("{s:s, s:s, s:o, s:s, s:s, s:i, s:o, s:s}", "created", now, "format",
                  SEALED_FORMAT, "members", member_list(b), "origin", b->log.origin, "project",
                  b->rq->project, "v", SEALED_VERSION, "versions", versions, "vkey", vkey);
    arena_own(b->rq->arena, listing, json_release);
    return canonical_json(listing, out);
}

static enum err seal_head(struct sealing *b, struct text *out)
{
    struct text *listing = new_text(b), *statement = new_text(b), *note = new_text(b);
    struct digest id;

    TRY(write_listing(b, listing));
    id = sha256_of(listing->data, listing->length);
    b->id = hex_of(b->rq->arena, &id);
    sealed_statement(b->log.origin, &id, statement);
    TRY(seal_note(b->rq->db, &b->log, statement, note));
    sealed_add(out, SEALED_LISTING, listing->data, listing->length);
    sealed_add(out, SEALED_SEAL, note->data, note->length);
    for (size_t i = 0; i < b->member_count; i++)
        if (b->members[i].data != NULL)
            sealed_add(out, b->members[i].name, b->members[i].data, (size_t)b->members[i].size);
    if (out->failed || out->length > SEALED_HEAD_MAX)
        return fail(b->rq, ERR_TOO_LARGE, "what is on record is too large to be sealed");
    return OK;
}

/* Nothing leaves that would be refused where it arrives. */
static enum err read_back(struct sealing *b, const struct text *out)
{
    struct sealed_fault fault;
    struct sealed again;

    if (sealed_open(b->rq->arena, out->data, out->length, &(struct sealed_trust){.own = true},
                    &again, &fault))
        return OK;
    return fail(b->rq, ERR_CONTENT, "what is on record cannot be sealed: %s", fault.text);
}

enum err bundle_head(struct sealing *b, struct text *out)
{
    TRY(add_versions(b));
    TRY(add_history(b));
    for (size_t i = 0; i < b->count; i++) {
        TRY(add_manifest(b, &b->versions[i]));
        TRY(add_documents(b, &b->versions[i]));
    }
    settle(b);
    TRY(seal_head(b, out));
    return read_back(b, out);
}
