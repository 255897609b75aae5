/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_AUDIT_CONSOLE_H
#define SERVICE_AUDIT_CONSOLE_H

#include "service/installation.h"

/* chanceryd audit-restart: begin a tenant's audit log anew, under another origin, after its
 * database was set back for good. Says what it did on stdout, and why not in the log. */
MUST_CHECK enum err audit_console_restart(struct installation *i, const char *tenant);

#endif
