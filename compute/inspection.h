/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMPUTE_INSPECTION_H
#define COMPUTE_INSPECTION_H

/* Let the registry look into files with the engine: the profile of a table, the signature of a
 * model. Hostile bytes are read by a sandboxed process only. */
void inspection_start(void);

#endif
