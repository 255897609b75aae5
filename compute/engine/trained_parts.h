/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_TRAINED_PARTS_H
#define ENGINE_TRAINED_PARTS_H

#include "compute/engine/trained.h"

/* What the graph and the metadata of an exported model have in common. */
enum { TRAINED_NAME = 48 };

/* The name of the input that the feature is part of; name is room for one that has to be made. */
struct span trained_input(const struct trained *t, size_t feature, char name[TRAINED_NAME]);
/* The metadata property's text; the caller frees it. */
char *trained_metadata(const struct trained *t);

#endif
