/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth.h"

#include "auth/access/barrier.h"
#include "auth/access/lease.h"
#include "auth/access/snapshot.h"
#include "auth/session.h"
#include "core/log.h"

#include <string.h>

/* Where there is no lease nobody waits for us: what was just asked of the database is good for this
 * long. */
enum { ASKED_MS = 1000 };

static const char epoch_header[] = "X-Authz-Epoch";

/* Actions whose use changes who may what: two such that shared the epoch's row would each wait for
 * the other. */
static bool changes_policy(enum action a)
{
    switch (a) {
    case PROJECT_WRITE:
    case PROJECT_DELETE:
    case USER_WRITE:
    case SERVICE_ACCOUNT_WRITE:
    case SCIM_WRITE:
    case BINDING_WRITE:
    case GROUP_WRITE:
    case ROLE_WRITE:
    case DENY_WRITE:
    case DUTY_WRITE:
    case REVIEW_WRITE:
    case CLASSIFY:
    case POLICY_WRITE:
        return true;
    default:
        return false;
    }
}

/* What must not be done by somebody whose right is taken at the same moment. */
static bool sensitive(enum action a)
{
    switch (a) {
    case APPROVAL_DECIDE:
    case APPROVAL_REVOKE:
    case ALIAS_WRITE:
    case ENDPOINT_DEPLOY:
    case ASSET_PURGE:
        return true;
    default:
        return action_class(a) == CLASS_PRIVILEGED;
    }
}

struct db_guard auth_guard(const struct request *rq)
{
    const struct session *s = session_of(rq);
    enum action a = (enum action)rq->route->action;
    struct db_guard g = {.set = s != NULL && a != PUBLIC};

    if (!g.set)
        return g;
    g.epoch = policy_epoch(s->policy);
    g.hold = changes_policy(a) ? HOLD_OWN : sensitive(a) ? HOLD_SHARED : HOLD_NOTHING;
    return g;
}

static enum err identify_and_allow(void *arg)
{
    struct request *rq = arg;
    struct policy *newest = NULL;

    TRY(snapshot_renew(rq->db, session_of(rq)->claims.tenant_id, &newest));
    policy_drop(newest);
    TRY(auth_identify(rq));
    return auth_allow(rq);
}

enum err auth_again(struct request *rq)
{
    return db_tx(rq->db, TX_POINT, NULL, identify_and_allow, rq);
}

enum err auth_still(struct request *rq)
{
    const struct session *s = session_of(rq);
    int64_t until = lease_until();

    if (s == NULL || rq->route->action == PUBLIC)
        return OK;
    if (until == 0 || !snapshot_is(s->claims.tenant_id, policy_epoch(s->policy))) {
        until = lease_clock() + ASKED_MS;
        TRY(auth_again(rq));
    }
    rq->good_until_ms = until;
    return OK;
}

bool auth_good(const struct request *rq)
{
    return rq->good_until_ms == 0 || lease_clock() < rq->good_until_ms;
}

static void say_epoch(struct request *rq, const struct policy *p)
{
    request_set_header(rq, epoch_header,
                       arena_printf(rq->arena, "%lld", (long long)policy_epoch(p)));
}

void auth_settled(struct request *rq)
{
    struct session *s = session_of(rq);
    struct policy *newest = NULL;

    rq->moved = rq->db->moved;
    rq->db->moved = 0;
    if (s == NULL)
        return;
    if (rq->moved == 0) {
        say_epoch(rq, s->policy);
        return;
    }
    if (snapshot_renew(rq->db, s->claims.tenant_id, &newest) == OK)
        say_epoch(rq, newest);
    else
        log_world("the policy of a tenant cannot be read again; it is forgotten");
    policy_drop(newest);
}

QUERY(fresh_moved_sql, "SELECT moved::text FROM authz_epoch WHERE tenant_id = current_tenant()"
                       " AND pg_visible_in_snapshot(moved, pg_current_snapshot())");

enum err auth_settled_before(struct request *rq)
{
    PGresult *rows = NULL;
    uint64_t moved = 0;

    TRY(db_rows(rq->db, &fresh_moved_sql, &rows, NO_PARAMS));
    if (PQntuples(rows) == 1 && uint_parse(PQgetvalue(rows, 0, 0), INT64_MAX, &moved))
        rq->db->moved = moved;
    return OK;
}

void auth_await_replicas(struct request *rq, void (*done)(void *arg, bool confirmed), void *arg)
{
    struct barrier_wait *w = arena_alloc(rq->arena, sizeof(*w));

    *w = (struct barrier_wait){.moved = rq->moved, .done = done, .arg = arg};
    barrier_join(w);
}
