/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AUTH_FORM_H
#define AUTH_FORM_H

#include "core/arena.h"

/* Percent-encoding of all but RFC 3986's unreserved characters, as URLs and forms need it. */
const char *form_encode(struct arena *a, const char *text);

#endif
