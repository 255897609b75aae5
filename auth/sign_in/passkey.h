/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIGN_IN_PASSKEY_H
#define SIGN_IN_PASSKEY_H

#include "auth/oauth/form.h"
#include "auth/oauth/opaque.h"
#include "auth/sign_in/sign_in.h"
#include "auth/sign_in/webauthn.h"
#include "core/request.h"

/* Passkeys and security keys of people who sign in here: their second factor, and their step-up. */
#define CEREMONY_PREFIX "chy_wa_"
#define FOR_REGISTER    "register"
#define FOR_SIGN_IN     "sign-in"
#define FOR_STEP_UP     "step-up"
enum { CEREMONY_S = 300, PASSKEYS_MAX = 20, PASSKEY_NAME_MAX = 100 };

struct passkey {
    const char *id;
    const char *name;
    bool synced; /* its maker can copy it to other devices */
    const char *created_at;
    const char *last_used_at; /* NULL for never */
};
extern const struct field passkey_fields[];

/* Inside a transaction of the tenant. */
MUST_CHECK enum err passkey_list(struct db *db, const char *principal_id, struct rows *out);
/* ERR_EXISTS: somebody has this credential; ERR_CONFLICT: the principal has PASSKEYS_MAX. */
MUST_CHECK enum err passkey_insert(struct db *db, const char *principal_id, const char *name,
                                   const struct webauthn_credential *c, struct passkey *out);
MUST_CHECK enum err passkey_rename(struct db *db, const char *principal_id, const char *id,
                                   const char *name, struct passkey *out);
MUST_CHECK enum err passkey_delete(struct db *db, const char *principal_id, const char *id);
/* Ids of a principal's credentials, as descriptors for browsers; *out is the caller's. */
MUST_CHECK enum err passkey_descriptors(struct db *db, const char *principal_id, json_t **out);

/* Who is asked to use a passkey, and for what. */
struct ceremony {
    const char *purpose;
    const char *tenant_id;
    const char *principal_id; /* of one that is taken: filled */
    const char *session_id;   /* NULL for FOR_SIGN_IN alone */
    const char *handle;       /* what the asker hands back */
    const json_t *options;    /* publicKey of navigator.credentials; arena */
    const json_t *credential; /* what came back */
};
/* A challenge for it, good once and for CEREMONY_S; fills handle and options. name: of the person,
 * FOR_REGISTER. ERR_CONFLICT where passkeys cannot be. Not inside a transaction that runs. */
MUST_CHECK enum err ceremony_begin(struct request *rq, struct ceremony *c, const char *name);
/* A new credential has come back: its challenge is spent, whatever it is worth. ERR_CREDENTIALS. */
MUST_CHECK enum err ceremony_register(struct request *rq, struct ceremony *c,
                                      struct webauthn_credential *out);
/* A passkey was used: by its owner, for this. ERR_CREDENTIALS; *amr says how (RFC 8176). A counter
 * that went back is refused, and the audit entry says so. */
MUST_CHECK enum err ceremony_use(struct request *rq, struct ceremony *c, const char **amr);

/* Of the request's caller, who has signed in with that session: the password again, and where there
 * is a second factor a fresh one, before a new one may come. */
MUST_CHECK enum err passkey_offer(struct request *rq, const char *password, int64_t mfa_ms,
                                  struct ceremony *c);
/* And its end, in one transaction with the audit entry. */
struct passkey_new {
    struct ceremony ceremony;
    const char *name;
    struct passkey passkey;
    struct texts recovery; /* codes; none unless it is the first factor */
};
MUST_CHECK enum err passkey_add(struct request *rq, struct passkey_new *n);

/* After the password, on a page: who->ceremony is what to ask for; where passkeys cannot be it
 * stays NULL, and a recovery code does. */
MUST_CHECK enum err passkey_ask(struct request *rq, struct sign_in *who);
/* What comes back from that page: tenant, ceremony, credential. ERR_CREDENTIALS. */
MUST_CHECK enum err passkey_sign_in(struct request *rq, const struct form *f, struct sign_in *who);
/* The inputs for it, to the end of the form, on a page that is sent with the script. */
void passkey_inputs(struct text *t, const struct ceremony *c, const char *label);
extern const char passkey_script[];
/* A form's credential, which scripts write as JSON. ERR_INVALID. */
MUST_CHECK enum err passkey_form(struct request *rq, const struct form *f, struct ceremony *c);

#endif
