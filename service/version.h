/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_VERSION_H
#define SERVICE_VERSION_H

#define CHANCERY_VERSION "0.1.0"

#endif
