/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_NOTIFY_H
#define SERVICE_NOTIFY_H

/* Tell the service manager, if there is one (sd_notify(3)): "READY=1", "STOPPING=1". */
void notify_manager(const char *state);

#endif
