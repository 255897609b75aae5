/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/bootstrap.h"

#include "auth/access/binding.h"
#include "auth/access/role.h"
#include "auth/bootstrap_use.h"
#include "auth/handlers.h"
#include "auth/principal.h"
#include "auth/sign_in/new_password.h"
#include "auth/sign_in/password.h"
#include "auth/sign_in/sign_in.h"

#include <string.h>

struct bootstrap {
    const char *code;
    const char *tenant;
    const char *user;
    const char *password;
};

const struct field bootstrap_fields[] = {
    TEXT(struct bootstrap, code, 100),
    NAME(struct bootstrap, tenant),
    NAME(struct bootstrap, user),
    FIELD_(struct bootstrap, password, FIELD_TEXT, .min = PASSWORD_MIN, .max = PASSWORD_MAX),
    FIELDS_END,
};

static enum err give(struct request *rq, enum role role, const char *scope)
{
    char id[ID_SIZE];

    id_new(id);
    return binding_insert(rq->db,
                          &(struct binding){.id = id,
                                            .principal_id = rq->caller.id,
                                            .role = role_facts(role)->text,
                                            .scope = scope},
                          rq->caller.id);
}

static enum err use_code(struct request *rq, const struct bootstrap *b, bool *platform)
{
    enum err e = bootstrap_use(rq->db, b->code, rq->caller.tenant_id, b->tenant, platform);

    if (e == ERR_NOT_FOUND)
        return fail(rq, ERR_CREDENTIALS, "the code is wrong, used, too old or for another tenant");
    if (e == ERR_EXISTS)
        return fail(rq, e, "there is a tenant %s already", b->tenant);
    return e;
}

static enum err make_admin(struct request *rq, const struct bootstrap *b)
{
    struct principal p = {.id = rq->caller.id, .name = b->user, .kind = "user"};

    TRY(new_password(rq, "password", b->password, &p.password_hash));
    return principal_insert(rq->db, &p, p.id);
}

/* The caller is the admin to be, of the tenant to be: post_bootstrap has made their ids up. The
 * password is hashed here, so only the bearer of a good code can make us hash. */
static enum err make(struct request *rq)
{
    struct bootstrap b;
    bool platform;

    TRY(request_read(rq, &b));
    request_object(rq, "tenants/%s", b.tenant);
    TRY(use_code(rq, &b, &platform));
    TRY(make_admin(rq, &b));
    TRY(give(rq, ROLE_TENANT_ADMIN, "tenant"));
    request_status(rq, 201);
    return platform ? give(rq, ROLE_PLATFORM_OPERATOR, "platform") : OK;
}

/* POST /v1/bootstrap */
enum err post_bootstrap(struct request *rq)
{
    struct bootstrap b;
    char tenant[ID_SIZE];
    char user[ID_SIZE];
    enum err e;

    TRY(request_read(rq, &b));
    id_new(tenant);
    id_new(user);
    rq->caller = (struct caller){.kind = PRINCIPAL_USER,
                                 .tenant_id = arena_text(rq->arena, tenant),
                                 .tenant = b.tenant,
                                 .id = arena_text(rq->arena, user),
                                 .name = b.user};
    e = request_tx(rq, make);
    if (e != OK) { /* the tenant is not there, and has no log to record this in */
        rq->caller = (struct caller){.tenant_id = "", .id = ""};
        return e;
    }
    bootstrap_used();
    request_status(rq, 201);
    return sign_in_reply(rq,
                         &(struct bearer){.tenant_id = rq->caller.tenant_id,
                                          .tenant = b.tenant,
                                          .id = rq->caller.id,
                                          .name = b.user,
                                          .kind = "user"},
                         json_pack("{s:s,s:s}", "tenant", b.tenant, "user", b.user));
}
