/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINEAGE_JSONTEXT_H
#define LINEAGE_JSONTEXT_H

#include "core/arena.h"
#include "core/text.h"

/* JSON written straight into a text, where building a tree first would cost more than the work. */

/* A quoted string as RFC 8785 §3.2.2.2 spells it; null for NULL. s must be valid UTF-8. */
void json_add_text(struct text *out, const char *s);
/* name":value with the comma and quotes around it; the first member has no comma before it. */
void json_add_member(struct text *out, bool first, const char *name, const char *value);

/* s, never NULL, made fit for the record: at most max bytes, and '?' for every byte that is not of
 * well-formed UTF-8 text. */
const char *text_clean(struct arena *a, const char *s, size_t max);

#endif
