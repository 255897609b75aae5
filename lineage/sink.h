/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINEAGE_SINK_H
#define LINEAGE_SINK_H

#include "core/db.h"
#include "core/service.h"
#include "lineage/wire.h"

/* Outside copies of the log: entries go, in order and in OCSF terms, to a webhook, a syslog
 * collector or a file. Each sink has a cursor by leaf index that moves only after a batch was
 * taken: nothing is lost, something may come twice. A request never waits for one. */

enum { SINK_SECRET_LEAST = 24, SINK_SECRET_MOST = 64, SINK_CA_MAX = 16384 };

struct sink {
    const char *name;
    const char *kind;
    const char *target;
    const char *sealed; /* hexadecimal; NULL when it has no secret */
    const char *ca;
    int64_t keep;
    int64_t file_bytes;
    int64_t next;
    int64_t failures;
    const char *problem;
    const char *delivered_at;
};
extern const struct field sink_view_fields[]; /* without secrets */

MUST_CHECK enum err sink_list(struct db *db, const char *name, struct rows *out); /* NULL: all */
MUST_CHECK enum err sink_put(struct db *db, const struct sink *s, const uint8_t *sealed,
                             size_t sealed_length);
MUST_CHECK enum err sink_delete(struct db *db, const char *name);

/* Those with something to deliver now, each claimed for a while so that no other replica takes it.
 */
MUST_CHECK enum err sink_claim(struct db *db, struct rows *out);
/* The entries before next are delivered; ERR_NOT_FOUND when another moved the cursor first. */
MUST_CHECK enum err sink_advance(struct db *db, const struct sink *s, int64_t next);
/* Not now: again after a while that doubles. */
MUST_CHECK enum err sink_postpone(struct db *db, const struct sink *s, const char *problem);

/* Where a sealed secret opens. */
const char *sink_seal_place(struct db *db, const char *name);

/* A batch: OCSF events as JSON, one after the other. */
struct sink_batch {
    const char *tenant;
    int64_t first; /* leaf index */
    size_t count;
    const char *const *events;
    const char *const *times;
    const bool *refused;
};

struct sink_context {
    const char *home;
    const uint8_t *key;
    bool private_too;
};
/* All of it is with the other side when OK; else why says why not. */
MUST_CHECK enum err sink_send(struct db *db, const struct sink_context *c, const struct sink *s,
                              const struct sink_batch *b, char why[WIRE_WHY]);
MUST_CHECK enum err sink_file(struct db *db, const struct sink_context *c, const struct sink *s,
                              const struct sink_batch *b, char why[WIRE_WHY]);

/* The thread that delivers. */
MUST_CHECK enum err courier_start(const struct service *service);
void courier_stop(void);
void courier_wake(void);

#endif
