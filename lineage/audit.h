/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINEAGE_AUDIT_H
#define LINEAGE_AUDIT_H

#include "core/db.h"
#include "core/request.h"

/* The audit log. An entry is a leaf of the tenant's Merkle tree (no personal data, stays for ever)
 * and a payload (names, addresses, bodies), which the leaf binds by HMAC-SHA256 under a salt of its
 * own, so that erasing payload and salt leaves the log whole and says nothing any more. */

struct audit_event {
    const char *actor_id; /* principal's UUID; NULL or "" for nobody */
    const char *actor;    /* name */
    const char *tenant;   /* name */
    const char *action;   /* the route's name */
    const char *method;
    const char *project; /* NULL for none, as all below */
    const char *object;  /* without names of persons: see lineage/pseudonym.h */
    const char *named;   /* the same with them, for the payload; NULL where there are none */
    const char *request; /* UUID; never NULL */
    const char *remote;
    enum err outcome;
    unsigned status;
    const char *failure;    /* why it was refused */
    const json_t *body;     /* members that hold secrets are redacted */
    const json_t *response; /* likewise */
    const json_t *detail;
    const char *statement; /* public words that belong into the leaf: a signed note, ids; or NULL */
};

struct audit_receipt {
    char id[ID_SIZE];
    char leaf[2 * SHA256_SIZE + 1]; /* SHA-256 of 0x00 and the leaf: what a proof will prove */
};

/* Queue the entry into the running TX_WRITE of db->tenant: one statement, which travels with the
 * commit. receipt may be NULL. For work that no request stands behind; requests use audit_append.
 */
MUST_CHECK enum err audit_record(struct db *db, const struct audit_event *event,
                                 struct audit_receipt *receipt);

/* The entry of a request, in its write transaction (or, for refusals, one of its own), and the
 * header Chancery-Audit. A request of no known tenant belongs to no log and is only logged. */
MUST_CHECK enum err audit_append(struct request *rq, enum err outcome);

/* For the entry of a change: what the thing was, as its own reply would show it. What it is
 * afterwards is taken from the reply (nothing: it is gone); or, with audit_after, from what was
 * replied so far. The entry then shows what differs. A refusal shows nothing. */
void audit_before(struct request *rq, const struct field *fields, const void *in);
void audit_after(struct request *rq);
/* What the thing has become, where the reply says something else or nothing. Nothing unless there
 * was one before. */
void audit_after_as(struct request *rq, const struct field *fields, const void *in);
/* Both, of things whose stores give them as JSON text. */
void audit_before_text(struct request *rq, const char *json);
void audit_after_text(struct request *rq, const char *json);

/* Wait at most ms milliseconds until the entry is under a signed checkpoint, and where: OK,
 * ERR_TIMEOUT, or ERR_NOT_FOUND when db->tenant has no such entry. Only outside transactions
 * (TX_POINT). */
MUST_CHECK enum err audit_wait_sequenced(struct db *db, const char *id, int64_t ms, int64_t *index);

/* Whether the tenant's log can be extended: while not, nothing governed may change. NULL asks for
 * every log (readiness), "" only whether logs are extended at all (callers of no tenant yet, whom
 * one tenant's trouble must not lock out). Any thread. */
bool audit_available(const char *tenant_id);

#endif
