/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_MANIFEST_H
#define REGISTRY_MANIFEST_H

#include "core/request.h"

/* What a version says of itself, by kind. Models and datasets are described by their files; of the
 * other kinds the manifest is given, with the members its kind has and no others:
 *   environment  python, packages; image, variables
 *   component    command, inputs, outputs, environment (environments/NAME/versions/N)
 *   prompt       template: a text, or a list of {role, content}; model_config, response_format,
 *                model: the one it is for, models/NAME/versions/N or any name
 *   notebook     kernel, entry: the path of one of its files; environment
 *   flow         nodes: [{name, uses}], edges: [{from, to}], without a cycle
 *   connection   type, target; secret: the name of one of the project's secrets; options
 * and each of them uses: versions that it was made from or needs, [datasets/NAME/versions/N]; and
 * code: the commit it was made with, {repository, commit, path}. These, environment, model and a
 * flow's uses become edges of the lineage: source.h. */
bool manifest_wanted(const char *kind);
/* ERR_INVALID names the member. NULL only where none is wanted. */
MUST_CHECK enum err manifest_check(struct request *rq, const char *kind, const json_t *manifest);
/* Against the files (struct version_file) it is finalized with. */
MUST_CHECK enum err manifest_fits(struct request *rq, const char *kind, const json_t *manifest,
                                  const struct rows *files);

#endif
