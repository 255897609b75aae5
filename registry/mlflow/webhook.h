/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MLFLOW_WEBHOOK_H
#define MLFLOW_WEBHOOK_H

#include "core/db.h"
#include "core/request.h"
#include "core/service.h"

/* Who is told what happens in a project's registry, as MLflow's clients set it up. Triggers write a
 * delivery in the transaction of what happened; a thread sends them, signed, through
 * auth/outbound.h, and tries again for a while. */
enum { WEBHOOK_SECRET_MAX = 1000, WEBHOOK_EVENTS_MAX = 14, WEBHOOK_ATTEMPTS = 6 };

struct webhook {
    const char *id;
    const char *name;
    const char *url;
    const char *description;
    const char *status; /* ACTIVE or DISABLED */
    struct texts events;
    const char *sealed; /* hexadecimal; NULL for no secret */
    const char *project;
};

/* Every event there is: "model_version.created". */
bool webhook_event_known(const char *event);

/* sealed in w is read. TX_WRITE. ERR_EXISTS for a name that is taken. */
MUST_CHECK enum err webhook_create(struct db *db, const char *project_id, const struct webhook *w,
                                   const char *by);
MUST_CHECK enum err webhook_update(struct db *db, const struct webhook *w);
MUST_CHECK enum err webhook_delete(struct db *db, const char *project_id, const char *id);
MUST_CHECK enum err webhook_find(struct db *db, const char *project_id, const char *id,
                                 struct webhook *out);
/* JSON as MLflow answers: {"webhook":…}, {"webhooks":[…]}. */
MUST_CHECK enum err webhook_show(struct db *db, const char *project_id, const char *id,
                                 const char **json);
MUST_CHECK enum err webhook_list(struct db *db, const char *project_id, int64_t limit,
                                 int64_t offset, const char **json);

/* One message to one of them, tried once or more often. */
struct webhook_delivery {
    int64_t seq; /* not shown */
    const char *id;
    const char *event;
    const char *state; /* pending, delivered or failed */
    int64_t attempts;
    int64_t status; /* HTTP, of the last attempt; 0 for none */
    const char *problem;
    const char *created_at;
    const char *finished_at;
};
extern const struct field webhook_delivery_fields[];
MUST_CHECK enum err webhook_deliveries(struct db *db, const char *project_id, const char *id,
                                       int64_t before, int64_t limit, struct rows *out);

/* What is due: claimed for a minute, so that no other replica sends it too. */
struct webhook_due {
    const char *delivery;
    const char *webhook;
    const char *event;
    const char *payload;
    const char *url;
    const char *sealed;
    const char *project;
    int64_t attempts;
};
MUST_CHECK enum err webhook_claim(struct db *db, int64_t limit, struct rows *out);
/* state pending: again after a while that doubles. */
MUST_CHECK enum err webhook_outcome(struct db *db, const struct webhook_due *d, const char *state,
                                    int64_t status, const char *problem);

/* Where a secret opens; in the arena. */
const char *webhook_seal_place(struct arena *a, const char *tenant, const char *id);
/* Send one message now. status is 0 when there was no answer, and then *why says why; body is what
 * was answered. ERR_DENIED: the guard lets nobody go there. */
struct webhook_answer {
    long status;
    const char *body;
    const char *why;
};
MUST_CHECK enum err webhook_send(struct arena *a, const char *tenant, const struct webhook_due *d,
                                 struct webhook_answer *out);

MUST_CHECK enum err webhook_start(const struct service *service);
void webhook_stop(void);
/* For requests: seal a secret under the service's key. */
MUST_CHECK enum err webhook_seal(struct arena *a, const char *tenant, const char *id,
                                 const char *secret, const char **sealed);

#endif
