/* SPDX-License-Identifier: Apache-2.0 */
#include "core/source.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum { HALF = 8 };

void source_of(const char *remote, char out[SOURCE_SIZE])
{
    struct in6_addr six;

    (void)snprintf(out, SOURCE_SIZE, "%s", remote);
    if (strchr(remote, ':') == NULL || inet_pton(AF_INET6, remote, &six) != 1)
        return;
    memset(six.s6_addr + HALF, 0, sizeof(six.s6_addr) - HALF);
    (void)inet_ntop(AF_INET6, &six, out, SOURCE_SIZE);
}
