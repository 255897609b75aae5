/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIGN_IN_BREACHED_H
#define SIGN_IN_BREACHED_H

#include "core/err.h"
#include "core/service.h"

#include <stdbool.h>

/* Passwords that are known to attackers, in the file that the setting breached_passwords names: the
 * download format of Have I Been Pwned's "Pwned Passwords", sorted lines of HEX or HEX:COUNT. 40
 * digits are SHA-1, 64 are SHA-256, 16 to 39 the beginning of a SHA-1. Looked up by binary search
 * with pread: gigabytes cost no memory and a look-up about 35 reads. No file, no check. */

/* ERR_INVALID, with the cause in the log, when the file cannot be read or is not such a list. */
MUST_CHECK enum err breached_start(const struct service *service);
void breached_stop(void);

/* ERR_UNAVAILABLE when the file cannot be read any more: then nobody may take a new password. */
MUST_CHECK enum err breached_look(const char *password, bool *found);

#endif
