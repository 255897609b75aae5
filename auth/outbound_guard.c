/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/outbound_guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct range4 {
    uint32_t from;
    unsigned bits;
};

static const struct range4 closed4[] = {
    {0x00000000, 8},  /* this network */
    {0x0a000000, 8},  /* private */
    {0x64400000, 10}, /* shared (RFC 6598) */
    {0x7f000000, 8},  /* loopback */
    {0xa83f8110, 32}, /* Azure's platform, which trusts its machines */
    {0xa9fe0000, 16}, /* link-local, the metadata services of clouds */
    {0xac100000, 12}, /* private */
    {0xc0000000, 24}, /* protocol assignments */
    {0xc0000200, 24}, /* documentation */
    {0xc0586300, 24}, /* 6to4 relays */
    {0xc0a80000, 16}, /* private */
    {0xc6120000, 15}, /* benchmarks */
    {0xc6336400, 24}, /* documentation */
    {0xcb007100, 24}, /* documentation */
    {0xe0000000, 3},  /* multicast, reserved, broadcast */
};

static const struct range4 private4[] = {
    {0x0a000000, 8}, {0x64400000, 10}, {0x7f000000, 8}, {0xac100000, 12}, {0xc0a80000, 16},
};

static bool within(const struct range4 *ranges, size_t count, uint32_t address)
{
    for (size_t i = 0; i < count; i++)
        if ((address ^ ranges[i].from) >> (32 - ranges[i].bits) == 0)
            return true;
    return false;
}

static bool public4(uint32_t address)
{
    return !within(closed4, sizeof(closed4) / sizeof(closed4[0]), address);
}

/* Global unicast is 2000::/3; of it not Teredo and other assignments (2001::/23), documentation
 * (2001:db8::/32, 3fff::/20) and 6to4 (2002::/16), which leads to any IPv4 address. */
static bool public6(const uint8_t a[16])
{
    if ((a[0] & 0xe0) != 0x20 || (a[0] == 0x20 && a[1] == 0x02))
        return false;
    if (a[0] == 0x20 && a[1] == 0x01)
        return a[2] > 1 && !(a[2] == 0x0d && a[3] == 0xb8);
    return !(a[0] == 0x3f && a[1] == 0xff && (a[2] & 0xf0) == 0);
}

bool outbound_public(const struct sockaddr *address)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    switch (address->sa_family) {
    case AF_INET:
        memcpy(&v4, address, sizeof(v4));
        return public4(ntohl(v4.sin_addr.s_addr));
    case AF_INET6:
        memcpy(&v6, address, sizeof(v6));
        return public6(v6.sin6_addr.s6_addr);
    default:
        return false;
    }
}

/* ::1 and unique local addresses (RFC 4193), but not where a cloud keeps its credentials. */
static bool private6(const uint8_t a[16])
{
    static const uint8_t loopback[16] = {[15] = 1};
    static const uint8_t metadata[16] = {0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, 0x54};

    return memcmp(a, loopback, 16) == 0 || ((a[0] & 0xfe) == 0xfc && memcmp(a, metadata, 16) != 0);
}

bool outbound_private(const struct sockaddr *address)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    switch (address->sa_family) {
    case AF_INET:
        memcpy(&v4, address, sizeof(v4));
        return within(private4, sizeof(private4) / sizeof(private4[0]), ntohl(v4.sin_addr.s_addr));
    case AF_INET6:
        memcpy(&v6, address, sizeof(v6));
        return private6(v6.sin6_addr.s6_addr);
    default:
        return false;
    }
}

bool outbound_listed(const char *list, const char *host, const char *port)
{
    size_t host_length = strlen(host);
    size_t port_length = strlen(port);

    while (*list != '\0') {
        size_t n = strcspn(list, ",");

        if (n == host_length + 1 + port_length && strncasecmp(list, host, host_length) == 0 &&
            list[host_length] == ':' && strncmp(list + host_length + 1, port, port_length) == 0)
            return true;
        list += n + (list[n] == ',');
    }
    return false;
}
