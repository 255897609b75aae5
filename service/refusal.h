/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_REFUSAL_H
#define SERVICE_REFUSAL_H

#include "core/request.h"

/* Turn an outcome into the reply of the route's dialect. "Not found" is the same bytes whatever was
 * asked for, and no failure of ours shows its details. Headers set before are kept. */
void refusal_reply(struct request *rq, enum err e);

/* Say what a statement of a transaction that failed at its end ran into, if that is known. */
void refusal_explain(struct request *rq, enum err e);

#endif
