/* SPDX-License-Identifier: Apache-2.0 */
#include "service/parts.h"

#include "auth/auth.h"
#include "auth/keys/kek.h"
#include "compute/runner.h"
#include "compute/serving.h"
#include "core/log.h"
#include "lineage/keeper.h"
#include "lineage/sequencer.h"
#include "lineage/sink.h"
#include "lineage/witness.h"
#include "registry/collect.h"
#include "registry/mlflow/webhook.h"
#include "service/idempotency.h"

#include <stddef.h>

static const struct part {
    const char *name;
    enum err (*start)(const struct service *service);
    void (*stop)(void);
} parts[] = {
#define PART(name, start, stop) {#name, start, stop},
#include "service/parts.def"
#undef PART
    {NULL, NULL, NULL}};

static size_t started;

enum err parts_start(const struct service *service)
{
    for (started = 0; parts[started].name != NULL; started++) {
        enum err e = parts[started].start(service);

        if (e == OK)
            continue;
        log_ours("the %s does not start: %s", parts[started].name, err_meaning(e));
        parts_stop();
        return e;
    }
    return OK;
}

void parts_stop(void)
{
    while (started > 0)
        parts[--started].stop();
}
