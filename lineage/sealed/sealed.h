/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEALED_SEALED_H
#define SEALED_SEALED_H

#include "core/arena.h"
#include "lineage/note.h"

#include <jansson.h>

/* A sealed bundle: versions with their files, history, approvals and proofs, on their way to an
 * installation that cannot ask this one. A tape archive (ustar.h) with these members, in this
 * order: listing.json         {created, format, members: [{name, sha256, size}], origin, project,
 * v, versions: [node], vkey}, RFC 8785; members are all that follow the seal seal.note C2SP signed
 * note "ORIGIN\nbundle\nBASE64(SHA-256 of listing.json)\n" checkpoint           of the origin's
 * log; every proof is under this one lineage.json         {nodes, edges, entries}, as graph_proof.h
 * checks it versions.json        {versions: [what is on record of each, its approvals with their
 * evidence]} manifests/DIGEST     the canonical manifest, whose SHA-256 is the version's digest
 *   documents/DIGEST.*   in-toto statements in DSSE envelopes
 *   files/SHA256         bytes, each once, in the order of their names
 * All before files/ is the head: small, read and checked as a whole. Files are streamed. */

enum {
    SEALED_HEAD_MAX = 16 << 20,
    SEALED_MEMBERS_MAX = 100000,
    SEALED_VERSIONS_MAX = 50,
    SEALED_NODES_MAX = 2000,
    SEALED_NODE_NAME_MAX = 1024,
    SEALED_VERSION = 1,
};
#define SEALED_FORMAT    "chancery-bundle"
#define SEALED_LISTING   "listing.json"
#define SEALED_SEAL      "seal.note"
#define SEALED_HEAD      "checkpoint"
#define SEALED_LINEAGE   "lineage.json"
#define SEALED_VERSIONS  "versions.json"
#define SEALED_MANIFESTS "manifests/"
#define SEALED_DOCUMENTS "documents/"
#define SEALED_FILES     "files/"

struct sealed_member {
    const char *name;
    int64_t size;
    struct digest sha256;
    const char *data; /* borrowed from the head; NULL for files */
};

struct sealed {
    struct arena *arena;
    const json_t *listing;
    struct digest id; /* SHA-256 of the listing */
    const char *origin;
    const char *signer; /* "name+id" of the key that sealed it */
    struct sealed_member *members;
    size_t count;
    size_t small; /* members of the head that the listing names; the rest are files */
    const json_t *lineage;
    const json_t *versions; /* a list */
    size_t edges;
    size_t proven; /* edges that entries of the log prove */
    size_t entries;
};

/* Whom to believe. own: nobody yet, only that the bundle fits the key which it names itself; what
 * is learned so proves that the bytes are whole, not who they are from. */
struct sealed_trust {
    const struct note_key *keys;
    size_t count;
    bool own;
};

/* The first thing that does not fit; stranger when that is who sealed it, and all bytes do fit it.
 */
struct sealed_fault {
    const char *text;
    bool stranger;
};

/* Read and check a head, every byte of it: false, with the fault in the arena, unless all of it is
 * as it must be. bytes are borrowed as long as out is used. */
bool sealed_open(struct arena *a, const char *bytes, size_t length,
                 const struct sealed_trust *trust, struct sealed *out, struct sealed_fault *fault);

/* The listing as a member's name orders it: the place of the name's kind, -1 for a name that no
 * member may have. */
int sealed_rank(const char *name);
/* Before, at or after in the order of members. */
int sealed_compare(const char *name, const char *other);
/* The text that the seal signs. */
void sealed_statement(const char *origin, const struct digest *listing, struct text *out);
/* A member's header, bytes and padding. */
void sealed_add(struct text *out, const char *name, const char *data, size_t length);
const struct sealed_member *sealed_find(const struct sealed *s, const char *name);

/* The parts of sealed_open, for its own files. */
/* A macro, so that analysers see that it is false. */
#define sealed_wrong(fault, a, ...) (sealed_because((fault), (a), __VA_ARGS__), false)
void sealed_because(struct sealed_fault *fault, struct arena *a, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
const char *sealed_text(const json_t *object, const char *member);
bool sealed_hex(const char *hex, struct digest *out);
json_t *sealed_json(const struct sealed *s, const char *name, struct sealed_fault *fault);
/* What members say fits each other, once each is known to be what the listing names. */
bool sealed_contents(struct sealed *s, const struct note_key *keys, size_t key_count,
                     struct sealed_fault *fault);

#endif
