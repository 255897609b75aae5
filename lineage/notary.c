/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/background.h"
#include "lineage/wire.h"
#include "lineage/witness.h"

#include "core/log.h"

#include <stdlib.h>
#include <string.h>

/* Asks witnesses to cosign checkpoints (C2SP tlog-witness): each gets the checkpoint and the proof
 * that it continues what that witness saw last. */

enum { PAUSE_MS = 1000, BODY_MAX = 128 << 10, TRIES = 2 };

static void ask_all(struct background *b);
static struct background it = {.name = "notary", .round = ask_all, .pause_ms = PAUSE_MS};
static struct wire_rules rules;

QUERY(notary_work, "SELECT tenant_id FROM audit_witness_work()");

struct asking {
    struct db *db;
    struct log log;
    struct rows witnesses;
    struct witness *witness;
    struct merkle_proof proof;
};

static enum err claim(void *arg)
{
    struct asking *k = arg;

    TRY(log_find(k->db, &k->log));
    return k->log.checkpoint == NULL ? ERR_NOT_FOUND : witness_claim(k->db, &k->log, &k->witnesses);
}

static enum err prove(void *arg)
{
    struct asking *k = arg;
    const struct tile_source tiles = log_tiles(k->db);
    struct tile_reader *reader = tile_reader_new(&tiles, k->log.signed_size);
    const struct merkle_nodes nodes = tile_nodes(reader);
    enum err e = OK;

    k->proof.count = 0; /* from nothing there is nothing to prove */
    if (k->witness->size > 0)
        e = merkle_consistency(&nodes, (uint64_t)k->witness->size, k->log.signed_size, &k->proof);
    tile_reader_free(reader);
    return e;
}

static void write_body(const struct asking *k, struct text *body)
{
    text_printf(body, "old %lld\n", (long long)k->witness->size);
    for (size_t i = 0; i < k->proof.count; i++) {
        digest_write(body, &k->proof.hashes[i]);
        text_puts(body, "\n");
    }
    text_puts(body, "\n");
    text_puts(body, k->log.checkpoint);
}

/* Keep the line when it is the witness's, under this very checkpoint. */
static enum err keep(struct asking *k, const char *lines, char why[WIRE_WHY])
{
    struct witness_key key;
    const char *line = NULL;

    if (witness_key_parse(k->witness->vkey, &key))
        line = witness_line(k->db->arena, &key, k->log.checkpoint, lines);
    (void)snprintf(why, WIRE_WHY, "the answer holds no right signature of the witness");
    return line == NULL ? ERR_CONTENT : witness_cosigned(k->db, &k->log, k->witness, line);
}

/* 409: the witness saw another size last. ERR_RETRY when it can be asked again from there. */
static enum err go_from(struct asking *k, const char *said, char why[WIRE_WHY])
{
    uint64_t size;

    if (!decimal_parse(said, strcspn(said, "\n"), k->log.signed_size, &size)) {
        (void)snprintf(why, WIRE_WHY, "the witness saw more than this log has: %.20s", said);
        return ERR_CONTENT;
    }
    k->witness->size = (int64_t)size;
    TRY(witness_saw(k->db, k->witness, (int64_t)size));
    (void)snprintf(why, WIRE_WHY, "the witness does not settle on a size");
    return ERR_RETRY;
}

static enum err understand(struct asking *k, const struct wire_answer *answer, char why[WIRE_WHY])
{
    if (answer->status == 200)
        return keep(k, answer->body, why);
    if (answer->status == 409)
        return go_from(k, answer->body, why);
    (void)snprintf(why, WIRE_WHY, "the witness answered %u", answer->status);
    return ERR_UNAVAILABLE;
}

static enum err post(struct asking *k, char why[WIRE_WHY])
{
    const char *url = k->witness->url;
    size_t length = strlen(url);
    struct wire_answer answer = {.status = 0};
    struct text body = text_new(BODY_MAX);
    struct wire_place to;
    enum err e = ERR_INVALID;

    while (length > 0 && url[length - 1] == '/')
        length--;
    url = arena_printf(k->db->arena, "%.*s/add-checkpoint", (int)length, url);
    write_body(k, &body);
    if (!body.failed && wire_parse(url, strncmp(url, "http:", 5) == 0 ? "80" : "443", &to))
        e = wire_post(&to, &rules, "", &body, &answer, why);
    if (e == OK)
        e = understand(k, &answer, why);
    text_free(&answer.text);
    text_free(&body);
    return e;
}

/* In no transaction: the network may take its time. */
static enum err talk(void *arg)
{
    struct asking *k = arg;
    char why[WIRE_WHY] = "";
    enum err e = ERR_RETRY;

    for (int i = 0; i < TRIES && e == ERR_RETRY; i++) {
        e = prove(k);
        if (e == OK)
            e = post(k, why);
        else
            (void)snprintf(why, WIRE_WHY, "no proof from size %lld", (long long)k->witness->size);
    }
    if (e == OK)
        return OK;
    log_world("witness %s of tenant %s: %s", k->witness->name, k->db->tenant, why);
    return witness_postpone(k->db, k->witness, why);
}

static void ask_tenant(struct background *b, const char *tenant)
{
    struct asking k = {.db = &b->db};

    if (db_tx(&b->db, TX_POINT, tenant, claim, &k) != OK)
        return;
    for (size_t i = 0; i < k.witnesses.count && !background_stopping(b); i++) {
        k.witness = (struct witness *)k.witnesses.items + i;
        if (db_tx(&b->db, TX_POINT, tenant, talk, &k) != OK)
            return;
    }
}

static void ask_all(struct background *b)
{
    background_tenants(b, &notary_work, ask_tenant);
}

enum err notary_start(const struct service *service)
{
    rules = (struct wire_rules){.private_too = service->config->audit_private_targets};
    return background_start(&it, service->conninfo);
}

void notary_stop(void)
{
    background_stop(&it);
}
