/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_OPENAPI_H
#define SERVICE_OPENAPI_H

#include <jansson.h>

/* The route table as an OpenAPI 3.1 document; a new object, owned by the caller. */
json_t *openapi_document(void);

#endif
