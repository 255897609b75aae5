/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/sign_in/passkey.h"

#include "auth/handlers.h"
#include "auth/session.h"
#include "auth/sign_in/login_session.h"
#include "auth/sign_in/password.h"
#include "auth/sign_in/second_factor.h"
#include "auth/sign_in/totp_store.h"
#include "lineage/audit.h"

#include <string.h>

struct passkey_body {
    const char *password;
    const char *name;
    const char *ceremony;
    json_t *credential;
};
const struct field passkey_offer_fields[] = {TEXT(struct passkey_body, password, PASSWORD_MAX),
                                             FIELDS_END};
const struct field new_passkey_fields[] = {TEXT(struct passkey_body, name, PASSKEY_NAME_MAX),
                                           TEXT(struct passkey_body, ceremony, OPAQUE_MAX),
                                           OBJECT(struct passkey_body, credential), FIELDS_END};
const struct field passkey_use_fields[] = {TEXT(struct passkey_body, ceremony, OPAQUE_MAX),
                                           OBJECT(struct passkey_body, credential), FIELDS_END};
const struct field passkey_change_fields[] = {TEXT(struct passkey_body, name, PASSKEY_NAME_MAX),
                                              FIELDS_END};

/* GET /v1/me/passkeys */
enum err get_my_passkeys(struct request *rq)
{
    struct rows rows;

    TRY(passkey_list(rq->db, rq->caller.id, &rows));
    return request_reply_list(rq, passkey_fields, sizeof(struct passkey), &rows, NULL);
}

static enum err reply_ceremony(struct request *rq, const struct ceremony *c)
{
    request_set_header(rq, "Cache-Control", "no-store");
    return request_reply_json(
        rq, json_pack("{s:s,s:O}", "ceremony", c->handle, "publicKey", c->options));
}

/* POST /v1/me/passkeys/options */
enum err post_passkey_options(struct request *rq)
{
    struct passkey_body b;
    struct ceremony c = {.session_id = session_of(rq)->claims.session};

    TRY(request_read(rq, &b));
    TRY(second_factor_person(rq));
    TRY(passkey_offer(rq, b.password, session_of(rq)->claims.mfa_ms, &c));
    request_status(rq, 201);
    return reply_ceremony(rq, &c);
}

/* To somebody with a good token, what is wrong is the passkey alone. */
static enum err refused(struct request *rq, enum err e)
{
    rq->target = e == ERR_CREDENTIALS ? "credential" : rq->target;
    return e == ERR_CREDENTIALS ? ERR_DENIED : e;
}

/* POST /v1/me/passkeys */
enum err post_my_passkey(struct request *rq)
{
    struct passkey_body b;
    struct passkey_new n = {.ceremony = {.session_id = session_of(rq)->claims.session}};
    json_t *more;
    enum err e;

    TRY(request_read(rq, &b));
    TRY(second_factor_person(rq));
    n.name = b.name;
    n.ceremony.handle = b.ceremony;
    n.ceremony.credential = b.credential;
    e = passkey_add(rq, &n);
    if (e != OK)
        return refused(rq, e);
    request_status(rq, 201);
    more = json_pack("{s:o}", "passkey", field_to_json(passkey_fields, &n.passkey));
    if (n.recovery.count > 0)
        json_object_set_new(more, "recovery_codes", recovery_list(&n.recovery));
    return second_factor_reply(rq, n.passkey.synced ? "pwd swk pop mfa" : "pwd hwk pop mfa", more);
}

static enum err note_before(struct request *rq)
{
    const struct passkey *all;
    struct rows rows;

    TRY(passkey_list(rq->db, rq->caller.id, &rows));
    all = rows.items;
    for (size_t i = 0; i < rows.count; i++)
        if (strcmp(all[i].id, rq->args[0]) == 0)
            audit_before(rq, passkey_fields, &all[i]);
    return OK;
}

/* PATCH /v1/me/passkeys/{passkey} */
enum err patch_my_passkey(struct request *rq)
{
    struct passkey_body b;
    struct passkey p;

    TRY(request_read(rq, &b));
    request_object(rq, "users/%s", rq->caller.name);
    TRY(second_factor_person(rq));
    if (!id_valid(rq->args[0]))
        return ERR_NOT_FOUND;
    TRY(note_before(rq));
    TRY(passkey_rename(rq->db, rq->caller.id, rq->args[0], b.name, &p));
    return request_reply(rq, passkey_fields, &p);
}

static enum err take_away(struct request *rq)
{
    request_object(rq, "users/%s", rq->caller.name);
    request_audit(rq, "passkey", json_string(rq->args[0]));
    request_status(rq, 204);
    TRY(note_before(rq));
    return passkey_delete(rq->db, rq->caller.id, rq->args[0]);
}

/* DELETE /v1/me/passkeys/{passkey} */
enum err delete_my_passkey(struct request *rq)
{
    struct factors f;

    if (!id_valid(rq->args[0]))
        return ERR_NOT_FOUND;
    TRY(second_factor_person(rq));
    TRY(second_factor_own(rq, session_of(rq)->claims.mfa_ms, &f));
    TRY(request_tx(rq, take_away));
    return request_reply_empty(rq);
}

static enum err make_codes(struct request *rq)
{
    const struct texts *codes = rq->work;

    request_object(rq, "users/%s", rq->caller.name);
    request_status(rq, 201);
    return recovery_codes_make(rq->db, rq->caller.id, codes->items);
}

/* POST /v1/me/recovery-codes */
enum err post_my_recovery_codes(struct request *rq)
{
    const char *items[RECOVERY_CODES];
    struct texts codes = {.items = items, .count = RECOVERY_CODES};
    struct factors f;

    TRY(second_factor_person(rq));
    TRY(second_factor_own(rq, session_of(rq)->claims.mfa_ms, &f));
    if (!f.totp && !f.webauthn)
        return fail(rq, ERR_CONFLICT, "there is no second factor that codes could stand in for");
    rq->work = &codes;
    TRY(request_tx(rq, make_codes));
    request_set_header(rq, "Cache-Control", "no-store");
    return request_reply_json(rq, json_pack("{s:o}", "recovery_codes", recovery_list(&codes)));
}

/* POST /v1/me/step-up/options */
enum err post_step_up_options(struct request *rq)
{
    struct ceremony c = {.purpose = FOR_STEP_UP,
                         .tenant_id = rq->caller.tenant_id,
                         .principal_id = rq->caller.id,
                         .session_id = session_of(rq)->claims.session};
    struct factors f;

    TRY(second_factor_person(rq));
    TRY(factors_of(rq->db, rq->caller.tenant_id, rq->caller.id, &f));
    if (!f.webauthn)
        return fail(rq, ERR_CONFLICT, "there are no passkeys; POST /v1/me/passkeys/options begins");
    TRY(ceremony_begin(rq, &c, NULL));
    request_status(rq, 201);
    return reply_ceremony(rq, &c);
}

static enum err step_up(struct request *rq)
{
    const struct session *s = session_of(rq);

    request_object(rq, "users/%s", rq->caller.name);
    return login_session_factor(rq->db, s->claims.session, rq->work);
}

/* POST /v1/me/step-up/passkey */
enum err post_step_up_passkey(struct request *rq)
{
    struct passkey_body b;
    struct session *s = session_of(rq);
    struct ceremony c = {
        .purpose = FOR_STEP_UP, .tenant_id = rq->caller.tenant_id, .session_id = s->claims.session};
    const char *amr = NULL;
    enum err e;

    TRY(request_read(rq, &b));
    TRY(second_factor_person(rq));
    c.handle = b.ceremony;
    c.credential = b.credential;
    e = ceremony_use(rq, &c, &amr);
    if (e != OK)
        return refused(rq, e);
    rq->work = (void *)amr;
    TRY(request_tx(rq, step_up));
    return second_factor_reply(rq, amr, NULL);
}
