/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_SANDBOX_H
#define ENGINE_SANDBOX_H

#include <jansson.h>
#include <stdbool.h>

/* Does once everything that needs more of the kernel than a job does: OpenBLAS takes its buffers,
 * OpenSSL and jansson look for their configuration and seed. Before sandbox_close. */
void sandbox_warm(void);

/* From here on only memory, the descriptors that are open, clocks and exit: anything else the
 * kernel refuses with EPERM (seccomp allow-list). False when it could not be set up; then nothing
 * untrusted may be read. Builds with a sanitizer are not closed, as sanitizers need what the list
 * leaves out. */
bool sandbox_close(void);

/* {"open":"EPERM",…}: what became of calls that must fail. For the tests. */
json_t *sandbox_probe(void);

#endif
