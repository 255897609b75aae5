/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/lattice.h"

#include "auth/access/place.h"
#include "auth/handlers.h"
#include "lineage/audit.h"

#include <string.h>

struct lattice_body {
    struct texts levels;
};

const struct field lattice_fields[] = {
    TEXTS(struct lattice_body, levels, 16),
    FIELDS_END,
};

static void shown(struct request *rq, const struct levels *levels, struct lattice_body *out)
{
    out->levels.count = levels->count;
    out->levels.items = arena_alloc(rq->arena, levels->count * sizeof(const char *));
    for (size_t i = 0; i < levels->count; i++)
        out->levels.items[i] = levels->names[i];
}

static enum err reply(struct request *rq)
{
    struct lattice_body b;
    struct levels levels;

    TRY(lattice_load(rq->db, &levels));
    shown(rq, &levels, &b);
    return request_reply(rq, lattice_fields, &b);
}

/* GET /v1/lattice */
enum err get_lattice(struct request *rq)
{
    return reply(rq);
}

/* PUT /v1/lattice */
enum err put_lattice(struct request *rq)
{
    struct lattice_body b, was;
    struct levels now;

    TRY(request_read(rq, &b));
    TRY(authority_fence(rq));
    TRY(lattice_load(rq->db, &now));
    if (b.levels.count < now.count)
        return place_invalid(rq, "levels", "are renamed or added above, not removed");
    for (size_t i = 0; i < b.levels.count; i++)
        for (size_t k = 0; k <= i; k++)
            if (!name_valid(b.levels.items[i]) ||
                (k < i && strcmp(b.levels.items[i], b.levels.items[k]) == 0))
                return place_invalid(rq, "levels", "are different names, lowest first");
    shown(rq, &now, &was);
    audit_before(rq, lattice_fields, &was);
    TRY(lattice_put(rq->db, &b.levels));
    return reply(rq);
}
