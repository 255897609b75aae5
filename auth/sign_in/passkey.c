/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/sign_in/passkey.h"

#include "auth/session.h"
#include "auth/sign_in/login_session.h"
#include "auth/sign_in/page.h"
#include "auth/sign_in/second_factor.h"
#include "auth/sign_in/totp_store.h"

#include <stdlib.h>
#include <string.h>

enum err passkey_offer(struct request *rq, const char *password, int64_t mfa_ms, struct ceremony *c)
{
    struct factors f;
    enum err e;

    TRY(second_factor_own(rq, mfa_ms, &f));
    e = sign_in_again(rq, password);
    rq->target = "password";
    if (e == ERR_CREDENTIALS)
        return fail(rq, ERR_DENIED, "password: is not the password");
    TRY(e);
    rq->target = NULL;
    c->purpose = FOR_REGISTER;
    c->tenant_id = rq->caller.tenant_id;
    c->principal_id = rq->caller.id;
    return ceremony_begin(rq, c,
                          arena_printf(rq->arena, "%s at %s", rq->caller.name, rq->caller.tenant));
}

struct adding {
    struct passkey_new *new;
    struct webauthn_credential credential;
    bool first;
};

static enum err add(struct request *rq)
{
    struct adding *a = rq->work;
    struct passkey_new *n = a->new;
    enum err e = passkey_insert(rq->db, rq->caller.id, n->name, &a->credential, &n->passkey);

    request_object(rq, "users/%s", rq->caller.name);
    if (e == ERR_EXISTS)
        return fail(rq, e, "this passkey is somebody's already");
    if (e == ERR_CONFLICT)
        return fail(rq, e, "there are %d passkeys already; remove one first", PASSKEYS_MAX);
    TRY(e);
    request_audit(rq, "passkey", json_string(n->passkey.id));
    TRY(login_session_factor(rq->db, n->ceremony.session_id,
                             n->passkey.synced ? "pwd swk pop mfa" : "pwd hwk pop mfa"));
    if (!a->first)
        return OK;
    n->recovery.items = arena_alloc(rq->arena, RECOVERY_CODES * sizeof(const char *));
    n->recovery.count = RECOVERY_CODES;
    return recovery_codes_make(rq->db, rq->caller.id, n->recovery.items);
}

enum err passkey_add(struct request *rq, struct passkey_new *n)
{
    struct adding a = {.new = n};
    struct factors f;

    n->ceremony.purpose = FOR_REGISTER;
    n->ceremony.tenant_id = rq->caller.tenant_id;
    TRY(ceremony_register(rq, &n->ceremony, &a.credential));
    TRY(factors_of(rq->db, rq->caller.tenant_id, rq->caller.id, &f));
    a.first = !f.totp && !f.webauthn;
    rq->work = &a;
    return request_tx(rq, add);
}

enum err passkey_ask(struct request *rq, struct sign_in *who)
{
    const char *why = rq->detail;
    struct ceremony *c = arena_alloc(rq->arena, sizeof(*c));
    enum err e;

    *c = (struct ceremony){
        .purpose = FOR_SIGN_IN, .tenant_id = who->tenant_id, .principal_id = who->id};
    e = ceremony_begin(rq, c, NULL);
    rq->detail = why;
    if (e == OK)
        who->ceremony = c;
    return e == ERR_CONFLICT ? OK : e;
}

static void release_json(void *json)
{
    json_decref(json);
}

enum err passkey_form(struct request *rq, const struct form *f, struct ceremony *c)
{
    const char *text = form_get(f, "credential");
    json_t *json = text == NULL || strlen(text) > CREDENTIAL_JSON_MAX
                       ? NULL
                       : json_loads(text, JSON_REJECT_DUPLICATES, NULL);

    c->handle = form_get(f, "ceremony");
    if (json != NULL)
        arena_own(rq->arena, json, release_json);
    if (json == NULL || c->handle == NULL)
        return fail(rq, ERR_INVALID, "credential: is missing or malformed");
    c->credential = json;
    return OK;
}

struct person {
    struct db *db;
    const char *id;
    const char *name;
};
static const struct field person_columns[] = {NAME(struct person, name), FIELDS_END};
QUERY(passkey_person_sql, "SELECT name FROM principal WHERE tenant_id = current_tenant()"
                          " AND id = $1::uuid AND kind = 'user' AND state = 'active'");

static enum err find_person(void *arg)
{
    struct person *p = arg;

    return db_one(p->db, &passkey_person_sql, person_columns, p, PARAMS(P_TEXT(p->id)));
}

static enum err find_tenant(struct request *rq, const struct form *f, struct sign_in *who)
{
    const char *name = form_get(f, "tenant");
    enum err e =
        name == NULL || !name_valid(name) ? ERR_NOT_FOUND : sign_in_tenant(rq->db, name, who);

    if (e == ERR_NOT_FOUND || (e == OK && strcmp(who->tenant_state, "active") != 0))
        return fail(rq, ERR_CREDENTIALS, "the tenant, user or password is wrong");
    if (e == OK)
        rq->caller = (struct caller){.tenant_id = who->tenant_id, .tenant = who->tenant, .id = ""};
    return e;
}

enum err passkey_sign_in(struct request *rq, const struct form *f, struct sign_in *who)
{
    struct ceremony c = {.purpose = FOR_SIGN_IN};
    struct person p = {.db = rq->db};
    enum err e;

    *who = (struct sign_in){.id = NULL};
    TRY(passkey_form(rq, f, &c));
    TRY(find_tenant(rq, f, who));
    c.tenant_id = who->tenant_id;
    TRY(ceremony_use(rq, &c, &who->amr));
    p.id = c.principal_id;
    e = db_tx(rq->db, TX_POINT, who->tenant_id, find_person, &p);
    if (e == ERR_NOT_FOUND)
        return fail(rq, ERR_CREDENTIALS, "the account is disabled");
    TRY(e);
    who->id = p.id;
    who->name = p.name;
    who->auth_ms = who->mfa_ms = time_now_ms();
    rq->caller.kind = PRINCIPAL_USER;
    rq->caller.id = who->id;
    rq->caller.name = who->name;
    request_object(rq, "users/%s", who->name);
    return OK;
}

/* The browser's part of both ceremonies: options in, credential out. */
const char passkey_script[] =
    "const b=document.getElementById('passkey'),say=document.getElementById('say');"
    "const bytes=t=>Uint8Array.from(atob(t.replace(/-/g,'+').replace(/_/g,'/')),"
    "c=>c.charCodeAt(0));"
    "const text=x=>btoa(String.fromCharCode(...new Uint8Array(x))).replace(/\\+/g,'-')"
    ".replace(/\\//g,'_').replace(/=/g,'');"
    "b.addEventListener('click',async()=>{try{"
    "const o=JSON.parse(b.dataset.options);o.challenge=bytes(o.challenge);"
    "for(const c of [].concat(o.allowCredentials||[],o.excludeCredentials||[]))c.id=bytes(c.id);"
    "if(o.user)o.user.id=bytes(o.user.id);"
    "const c=await navigator.credentials[o.user?'create':'get']({publicKey:o});const r={};"
    "for(const k of ['clientDataJSON','attestationObject','authenticatorData','signature',"
    "'userHandle'])if(c.response[k])r[k]=text(c.response[k]);"
    "b.form.elements.credential.value=JSON.stringify({id:c.id,type:c.type,response:r});"
    "b.form.submit();}catch(e){say.textContent='This did not work: '+e.message;}});";

void passkey_inputs(struct text *t, const struct ceremony *c, const char *label)
{
    char *options = json_dumps(c->options, JSON_COMPACT);

    page_hidden(t, "ceremony", c->handle);
    page_hidden(t, "credential", "");
    text_puts(t, "<button type=\"button\" id=\"passkey\" data-options=\"");
    page_text(t, options == NULL ? "" : options);
    text_puts(t, "\">");
    page_text(t, label);
    text_puts(t, "</button>\n<p class=\"alert\" id=\"say\" role=\"alert\"></p>"
                 "<noscript><p>Passkeys need JavaScript.</p></noscript></form>\n");
    free(options);
}
