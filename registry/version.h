/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_VERSION_H
#define REGISTRY_VERSION_H

#include "core/request.h"

enum { VERSION_FILES_MAX = 10000 };

/* SQL: whether the alias l still means anything. What rests on an approval holds as long as that.
 */
#define ALIAS_HOLDS                                                                                \
    "(l.approval_id IS NULL OR EXISTS (SELECT FROM approval x WHERE x.tenant_id = l.tenant_id"     \
    " AND x.id = l.approval_id AND x.state = 'approved' AND x.expires_at > now()))"

/* One state of an asset: files and facts about them, immutable once it is ready. */
struct version {
    const char *id;
    const char *kind; /* one of auth/kinds.def */
    const char *project;
    const char *asset;
    int64_t number;
    const char *state; /* "pending" or "ready"; what is deleted is not found */
    const char *description;
    json_t *tags;
    const char *digest; /* hexadecimal SHA-256 of the canonical manifest; NULL while pending */
    int64_t size;       /* bytes of all files */
    json_t *manifest;   /* NULL while pending */
    const char *job;    /* id of the job that made it, or NULL */
    struct texts aliases;
    int64_t revision;
    const char *created_by;
    const char *created_at;
    const char *ready_at;
    json_t *origin;        /* of an imported one, what its origin says of it; else NULL */
    const char *asset_id;  /* these two are not shown */
    const char *author_id; /* principal */
};

struct version_file {
    const char *path;
    int64_t size;
    const char *sha256; /* hexadecimal */
};

extern const struct field version_fields[];
extern const struct field version_file_fields[];

/* Which version of an asset: a number, or an alias when number is 0. */
struct version_key {
    const char *kind;
    const char *asset;
    int64_t number;
    const char *alias;
};

/* From "models/risk/versions/3" or "datasets/x/versions/@alias"; texts in the arena. False when it
 * is neither. */
bool version_key_parse(struct arena *a, const char *path, struct version_key *out);
/* The version part alone: "3" or "@alias". */
bool version_key_number(const char *text, struct version_key *out);
/* "models/risk/versions/3", and as a node of the lineage "projects/P/models/risk/versions/3". */
const char *version_path(struct arena *a, const struct version *v);
const char *version_node(struct arena *a, const struct version *v);
/* The kind of that node: models and datasets are known to the lineage by longer names,
 * "model-version", as jobs' inputs and outputs; the others by that of the asset. */
const char *version_node_kind(const char *kind);

/* Of an active asset, pending or ready. project_id is a UUID. */
MUST_CHECK enum err version_get(struct db *db, const char *project_id,
                                const struct version_key *key, struct version *out);
/* The same, locked until the end of the transaction. */
MUST_CHECK enum err version_lock(struct db *db, const char *project_id,
                                 const struct version_key *key, struct version *out);
/* The same as version_get by path: ERR_NOT_FOUND also for a text that is no path of a version. */
MUST_CHECK enum err version_find(struct db *db, const char *project_id, const char *path,
                                 struct version *out);
MUST_CHECK enum err version_by_id(struct db *db, const char *id, struct version *out);
/* Of an asset (the key's kind and asset), newest first, numbers below before. */
MUST_CHECK enum err version_list(struct db *db, const char *project_id,
                                 const struct version_key *of, int64_t before, int64_t limit,
                                 struct rows *out);

/* Files in order of their paths, as struct version_file. */
MUST_CHECK enum err version_files(struct db *db, const char *version_id, struct rows *out);
MUST_CHECK enum err version_files_after(struct db *db, const char *version_id, const char *after,
                                        int64_t limit, struct rows *out);
MUST_CHECK enum err version_file(struct db *db, const char *version_id, const char *path,
                                 struct version_file *out);

/* The next version of an active asset, pending, by a principal; job_id may be NULL. ERR_NOT_FOUND
 * without such an asset. TX_WRITE, as all below. */
struct version_draft {
    const char *project_id;
    const char *kind;
    const char *asset;
    const char *description; /* NULL for none */
    const json_t *tags;      /* NULL for none */
    const char *author_id;
    const char *job_id;
    const json_t *manifest; /* of kinds that are given one; NULL for none */
    int64_t number;         /* of one that comes from elsewhere; 0: the next */
};
/* ERR_NOT_FOUND without such an asset, or for a number that is not beyond all others. */
MUST_CHECK enum err version_create(struct db *db, const struct version_draft *draft,
                                   struct version *out);
/* Put the bytes at local_path, which have this digest and size, into the store and into a pending
 * version under path; a file of the same path is replaced. local_path is moved away.
 * ERR_TOO_LARGE past VERSION_FILES_MAX. */
MUST_CHECK enum err version_add_file(struct db *db, const struct version *v,
                                     const struct version_file *file, const char *local_path);
/* Somebody works on the files of a pending version: they cannot decide on it later. */
MUST_CHECK enum err version_touch(struct db *db, const struct version *v, const char *principal_id);
MUST_CHECK enum err version_remove_file(struct db *db, const struct version *v, const char *path);
/* Whether a version of the kind may be all manifest, without files: prompts, connections… */
bool kind_is_facts(const char *kind);
/* Make a pending version ready: the manifest is its files and the members of facts (an object, or
 * NULL). Makes its node in the lineage and fills the version anew. ERR_CONFLICT when it has no
 * files or is not pending. */
MUST_CHECK enum err version_seal(struct db *db, struct version *v, const json_t *facts);

MUST_CHECK enum err version_update(struct db *db, const struct version *v);
/* A pending version is gone; a ready one is kept, hidden. ERR_CONFLICT while a job makes it. */
MUST_CHECK enum err version_delete(struct db *db, const struct version *v);
/* The name of an endpoint that serves it; ERR_NOT_FOUND for none. */
MUST_CHECK enum err version_served(struct db *db, const struct version *v, const char **endpoint);

#endif
