/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/sign_in/login_session.h"

#include "auth/auth.h"
#include "auth/handlers.h"
#include "auth/principal.h"
#include "auth/session.h"

#include <string.h>

/* GET /v1/me/sessions */
enum err get_my_sessions(struct request *rq)
{
    const struct session *s = session_of(rq);
    struct rows rows;
    struct login_session *all;

    TRY(login_session_list(rq->db, rq->caller.id, NULL, 1000, &rows));
    all = rows.items;
    for (size_t i = 0; i < rows.count; i++)
        all[i].current = strcmp(all[i].id, s->claims.session) == 0;
    return request_reply_list(rq, login_session_fields, sizeof(struct login_session), &rows, NULL);
}

/* DELETE /v1/me/sessions/{session} */
enum err delete_my_session(struct request *rq)
{
    struct login_session s;

    if (!id_valid(rq->args[0]))
        return ERR_NOT_FOUND;
    request_object(rq, "users/%s", rq->caller.name);
    TRY(login_session_find(rq->db, rq->args[0], &s));
    if (strcmp(s.principal_id, rq->caller.id) != 0)
        return ERR_NOT_FOUND;
    TRY(login_session_end(rq->db, s.id, "ended by its user"));
    return request_reply_empty(rq);
}

/* DELETE /v1/users/{user}/sessions: ending them takes nothing over, so it needs no more than the
 * right to disable. */
enum err delete_user_sessions(struct request *rq)
{
    struct principal p;

    TRY(principal_find(rq->db, "user", rq->args[0], &p));
    request_object(rq, "users/%s", p.name);
    TRY(login_session_end_all(rq->db, p.id, NULL, "ended by an admin"));
    return request_reply_empty(rq);
}
