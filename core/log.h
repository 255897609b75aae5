/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include <stdbool.h>

/* One line an event on stderr, with blame in the name: they did wrong, we did, a dependency did.
 * log_info tells what the service does by itself. Thread-safe; control characters are escaped.
 * log_request sets the id that this thread's lines bear until it is set to NULL. */
void log_client(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_ours(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_world(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_request(const char *id);
/* Lines as JSON objects {"at","blame","request","message"} instead of text. */
void log_json(bool on);

#endif
