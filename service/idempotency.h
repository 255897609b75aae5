/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_IDEMPOTENCY_H
#define SERVICE_IDEMPOTENCY_H

#include "core/request.h"
#include "core/service.h"

/* A POST with the header Idempotency-Key (draft-ietf-httpapi-idempotency-key-header) is done at
 * most once in 24 hours for each caller and key: its answer is kept in the transaction that did it,
 * and given again, with Idempotency-Replayed: true, when the same request comes again. What was
 * refused may be tried again. */
MUST_CHECK enum err idempotency_start(const struct service *service);
void idempotency_stop(void);

/* In the write transaction, before the handler. *replayed: the reply is ready and nothing is to be
 * done. ERR_CONFLICT when the key stands for another request; ERR_INVALID for a key out of bounds.
 */
MUST_CHECK enum err idempotency_begin(struct request *rq, bool *replayed);
/* After the handler, with its reply. */
MUST_CHECK enum err idempotency_end(struct request *rq);

#endif
