/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/sequencer_step.h"

#include "lineage/edge.h"
#include "lineage/guard.h"

#include <openssl/crypto.h>
#include <string.h>

static enum err broken(struct step *s, const char *why)
{
    s->broken = why;
    return ERR_CONTENT;
}

static enum err create(struct step *s)
{
    struct log l = {.root = merkle_empty()};
    struct log_key key;

    l.origin = arena_printf(s->db->arena, "%s/audit/%s", s->place->host, s->tenant);
    TRY(log_key_make(s->db, s->place->key, &key));
    memcpy(l.public, key.public, sizeof(l.public));
    memcpy(l.sealed, key.sealed, sizeof(l.sealed));
    return log_create(s->db, &l);
}

static enum err lock_or_create(struct step *s, struct log *l)
{
    enum err e = log_lock(s->db, l);

    if (e != ERR_NOT_FOUND)
        return e;
    TRY(create(s));
    return log_lock(s->db, l);
}

static enum err write_tile(void *context, struct tile t, const struct digest *hashes)
{
    return log_write_tile(context, t, hashes);
}

/* The right edge, which must make the root that is on record. */
static enum err load_edges(struct step *s, const struct log *l, struct growing *g)
{
    enum err e = log_edges(s->db, l->size, g->edges);
    struct digest root;

    if (e == ERR_CONTENT)
        return broken(s, "a stored tile is not as wide as the tree needs it");
    if (e != OK)
        return e;
    root = tile_edge_root(g->edges);
    if (!digest_equal(&root, &l->root))
        return broken(s, "the stored tiles do not make the root of the tree");
    g->size = l->size;
    return OK;
}

enum err step_extend(struct step *s, const struct log *l, const struct log_waiting *w)
{
    struct growing *g = arena_alloc(s->db->arena, sizeof(*g));
    const struct edge_sink to = {.write = write_tile, .context = s->db};
    struct digest root;

    TRY(load_edges(s, l, g));
    for (size_t i = 0; i < w->count; i++)
        TRY(edge_add(g, &w->hashes[i], &to));
    TRY(edge_finish(g, &to));
    root = tile_edge_root(g->edges);
    TRY(log_move_head(s->db, g->size, &root));
    return log_place(s->db, l->size, w);
}

static enum err grow(void *arg)
{
    struct step *s = arg;
    struct log_waiting w;
    struct log l;

    s->broken = NULL;
    s->placed = 0;
    TRY(lock_or_create(s, &l));
    TRY(log_waiting(s->db, SEQUENCER_BATCH, &w));
    s->more = w.count == SEQUENCER_BATCH;
    if (w.count == 0)
        return OK;
    TRY(step_extend(s, &l, &w));
    s->placed = w.count;
    return OK;
}

enum err step_grow(struct step *s)
{
    return db_tx(s->db, TX_WRITE, s->tenant, grow, s);
}

static enum err extends(struct step *s, const struct log *l, const struct checkpoint *before)
{
    const struct tile_source tiles = log_tiles(s->db);
    struct merkle_nodes nodes;
    struct tile_reader *reader;
    struct merkle_proof proof;
    enum err e;

    if (before->size > l->size)
        return broken(s, "the database is behind a checkpoint that was signed");
    reader = tile_reader_new(&tiles, l->size);
    nodes = tile_nodes(reader);
    e = merkle_consistency(&nodes, before->size, l->size, &proof);
    tile_reader_free(reader);
    if (e == ERR_NOT_FOUND || e == ERR_CONTENT)
        return broken(s, "tiles of the tree are missing or cut");
    if (e != OK)
        return e;
    return merkle_consistency_verify(&proof, before->size, l->size, &before->root, &l->root)
               ? OK
               : broken(s, "the tree does not extend a checkpoint that was signed");
}

/* The tree must extend the checkpoint of the guard file and the one the database shows, which
 * another replica may have signed. */
static enum err check(struct step *s, const struct log *l, const struct log_verifiers *v)
{
    const char *notes[2] = {NULL, l->checkpoint};
    enum err e = guard_read(s->db->arena, s->place->dir, s->tenant, &notes[0]);

    if (e != OK && e != ERR_NOT_FOUND)
        return e;
    if (notes[0] != NULL && notes[1] != NULL && strcmp(notes[0], notes[1]) == 0)
        notes[1] = NULL;
    for (size_t i = 0; i < 2; i++) {
        struct checkpoint before;

        if (notes[i] == NULL)
            continue;
        if (checkpoint_open(notes[i], strlen(notes[i]), v->keys, v->count, &before) != NOTE_GOOD)
            return broken(s,
                          "a checkpoint on record is not signed by the log's key, or is of another "
                          "origin");
        TRY(extends(s, l, &before));
    }
    return OK;
}

static enum err sign_with(struct step *s, const struct log_key *key, struct text *note)
{
    uint8_t secret[ED25519_KEY];
    struct note_key name;
    enum err e;

    if (log_key_open(s->db, s->place->key, key, secret) != OK)
        e = broken(s, "the log's key does not open");
    else if ((e = note_key(key->origin, key->public, &name)) == OK)
        e = note_sign(note, &name, secret);
    OPENSSL_cleanse(secret, sizeof(secret));
    return e;
}

/* By the present key, and by those before it that still sign. */
static enum err sign_note(struct step *s, const struct log *l, const struct log_keys *keys,
                          struct text *note)
{
    struct checkpoint c = {.size = l->size, .root = l->root};
    struct text body = text_new(NOTE_MAX);
    enum err e;

    (void)snprintf(c.origin, sizeof(c.origin), "%s", l->origin);
    checkpoint_write(&body, &c);
    e = note_begin(note, body.data, body.length);
    for (size_t i = 0; i < keys->count && e == OK; i++)
        if (keys->items[i].signs && strcmp(keys->items[i].origin, l->origin) == 0)
            e = sign_with(s, &keys->items[i], note);
    text_free(&body);
    return e;
}

/* The signed note, in the arena. */
static enum err write_note(struct step *s, const struct log *l, const struct log_keys *keys,
                           const char **note)
{
    struct text text = text_new(NOTE_MAX);
    enum err e = sign_note(s, l, keys, &text);

    if (e == OK)
        *note = arena_copy(s->db->arena, text.data, text.length);
    text_free(&text);
    return e;
}

static enum err find_verifiers(struct step *s, const struct log *l, struct log_keys *keys,
                               struct log_verifiers **v)
{
    *v = arena_alloc(s->db->arena, sizeof(**v));
    TRY(log_keys_find(s->db, l, keys));
    return log_verifiers(l, keys, *v) == OK ? OK
                                            : broken(s, "the log's origin cannot be a key's name");
}

static bool due(const struct step *s, const struct log *l)
{
    int64_t idle_s = s->place->idle_s == 0 ? 3600 : s->place->idle_s;

    return l->size > l->signed_size || l->age_s < 0 || l->age_s >= idle_s;
}

static enum err sign(void *arg)
{
    struct step *s = arg;
    struct log_keys *keys = arena_alloc(s->db->arena, sizeof(*keys));
    struct log_verifiers *verifiers;
    const char *note = NULL;
    struct log l;

    s->broken = NULL;
    s->published = false;
    TRY(log_lock(s->db, &l));
    if (!due(s, &l))
        return OK;
    TRY(find_verifiers(s, &l, keys, &verifiers));
    TRY(check(s, &l, verifiers));
    TRY(write_note(s, &l, keys, &note));
    TRY(guard_write(s->db->arena, s->place->dir, s->tenant, note));
    s->published = true;
    return log_publish(s->db, &l, note);
}

enum err step_sign(struct step *s)
{
    return db_tx(s->db, TX_WRITE, s->tenant, sign, s);
}

static enum err check_only(void *arg)
{
    struct step *s = arg;
    struct log_keys *keys = arena_alloc(s->db->arena, sizeof(*keys));
    struct growing *edges = arena_alloc(s->db->arena, sizeof(*edges));
    struct log_verifiers *verifiers;
    struct log l;
    enum err e = log_find(s->db, &l);

    s->broken = NULL;
    if (e == ERR_NOT_FOUND)
        return broken(s, "the database does not know a log that was signed");
    TRY(e);
    TRY(find_verifiers(s, &l, keys, &verifiers));
    TRY(check(s, &l, verifiers));
    return load_edges(s, &l, edges);
}

enum err step_check(struct step *s)
{
    return db_tx(s->db, TX_READ, s->tenant, check_only, s);
}
