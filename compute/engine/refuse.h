/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_REFUSE_H
#define ENGINE_REFUSE_H

#include "core/err.h"

/* Why a job was refused, in words for whoever asked for it. */
struct refusal {
    enum err code;
    char text[480];
};

/* Fills why and returns code, so that a check and its words stand in one line. */
MUST_CHECK enum err refuse(struct refusal *why, enum err code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "content", "invalid", "limit" or "internal": the code of the error event. */
const char *refusal_slug(const struct refusal *why);

#endif
