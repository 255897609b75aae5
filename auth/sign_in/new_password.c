/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/sign_in/new_password.h"

#include "auth/sign_in/breached.h"
#include "auth/sign_in/password.h"

/* What a person would count (UTF-8 continuation bytes begin with 10). */
static size_t characters(const char *text)
{
    size_t n = 0;

    for (; *text != '\0'; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

enum err new_password(struct request *rq, const char *member, const char *password,
                      const char **phc)
{
    bool breached;

    rq->target = member;
    if (characters(password) < PASSWORD_MIN)
        return fail(rq, ERR_INVALID, "%s: has fewer than %d characters", member, PASSWORD_MIN);
    TRY(breached_look(password, &breached));
    if (breached)
        return fail(rq, ERR_INVALID,
                    "%s: is on the list of passwords that attackers know; take another", member);
    rq->target = NULL;
    return password_hash(rq->arena, password, phc);
}
