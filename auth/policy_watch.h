/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AUTH_POLICY_WATCH_H
#define AUTH_POLICY_WATCH_H

#include "core/err.h"

/* The thread that keeps the snapshots true: it listens on channel authz on a connection of its own,
 * and renews what is told to have changed; once a second it compares all epochs, in case a word was
 * lost. After a lost connection everything is loaded anew. While it sees nothing, the snapshots ask
 * the database at each use. conninfo is borrowed until watch_stop. */
MUST_CHECK enum err watch_start(const char *conninfo);
void watch_stop(void);

#endif
