/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

/* One line on stderr that is drawn over and over: "what [#####.....]  50% text". Callers ask
 * progress_wanted first. */
void progress_bar(const char *what, double part, const char *text);
/* Take the line away. */
void progress_end(void);

#endif
