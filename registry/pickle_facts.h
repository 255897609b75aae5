/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_PICKLE_FACTS_H
#define REGISTRY_PICKLE_FACTS_H

#include "core/request.h"
#include "registry/rules.h"
#include "registry/version.h"

/* Look into the files (struct version_file) for pickles, and put what is found as member "pickles"
 * into *facts, an object of the arena that is made if need be; unchanged when there are none. With
 * the policy refuse_pickle finding one is ERR_CONTENT. */
MUST_CHECK enum err pickle_facts(struct request *rq, const struct rows *files, json_t **facts);
/* For promotions: ERR_CONTENT when the policy refuses what the version's manifest says it holds. */
MUST_CHECK enum err pickle_promotable(struct request *rq, const struct version *v,
                                      const struct rules *rules);

#endif
