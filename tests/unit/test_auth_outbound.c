/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/outbound_guard.h"

#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

enum reach { OPEN, INSIDE, NEVER };

static enum reach reach_of(const char *text)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    bool six = strchr(text, ':') != NULL;
    const struct sockaddr *a = six ? (const struct sockaddr *)&v6 : (const struct sockaddr *)&v4;

    if (inet_pton(six ? AF_INET6 : AF_INET, text,
                  six ? (void *)&v6.sin6_addr : (void *)&v4.sin_addr) != 1)
        return NEVER;
    if (outbound_public(a))
        return outbound_private(a) ? NEVER : OPEN;
    return outbound_private(a) ? INSIDE : NEVER;
}

/* The first and last of each range of the registries of RFC 6890, and their neighbours. */
static void every_range_ends_where_it_should(void)
{
    static const struct {
        const char *address;
        enum reach reach;
    } all[] = {
        {"0.0.0.0", NEVER},
        {"0.255.255.255", NEVER},
        {"1.0.0.0", OPEN},
        {"9.255.255.255", OPEN},
        {"10.0.0.0", INSIDE},
        {"10.255.255.255", INSIDE},
        {"11.0.0.0", OPEN},
        {"100.63.255.255", OPEN},
        {"100.64.0.0", INSIDE},
        {"100.127.255.255", INSIDE},
        {"100.128.0.0", OPEN},
        {"126.255.255.255", OPEN},
        {"127.0.0.1", INSIDE},
        {"127.255.255.255", INSIDE},
        {"128.0.0.0", OPEN},
        {"168.63.129.15", OPEN},
        {"168.63.129.16", NEVER},
        {"168.63.129.17", OPEN},
        {"169.253.255.255", OPEN},
        {"169.254.0.0", NEVER},
        {"169.254.169.254", NEVER},
        {"169.254.255.255", NEVER},
        {"169.255.0.0", OPEN},
        {"172.15.255.255", OPEN},
        {"172.16.0.0", INSIDE},
        {"172.31.255.255", INSIDE},
        {"172.32.0.0", OPEN},
        {"192.0.0.0", NEVER},
        {"192.0.0.192", NEVER},
        {"192.0.1.0", OPEN},
        {"192.0.2.1", NEVER},
        {"192.88.99.1", NEVER},
        {"192.167.255.255", OPEN},
        {"192.168.0.0", INSIDE},
        {"192.168.255.255", INSIDE},
        {"192.169.0.0", OPEN},
        {"198.17.255.255", OPEN},
        {"198.18.0.0", NEVER},
        {"198.19.255.255", NEVER},
        {"198.20.0.0", OPEN},
        {"198.51.100.1", NEVER},
        {"203.0.113.1", NEVER},
        {"223.255.255.255", OPEN},
        {"224.0.0.1", NEVER},
        {"240.0.0.1", NEVER},
        {"255.255.255.255", NEVER},
        {"::", NEVER},
        {"::1", INSIDE},
        {"::2", NEVER},
        {"::127.0.0.1", NEVER},
        {"::ffff:127.0.0.1", NEVER},
        {"::ffff:10.0.0.1", NEVER},
        {"::ffff:8.8.8.8", NEVER},
        {"64:ff9b::127.0.0.1", NEVER},
        {"64:ff9b:1::1", NEVER},
        {"100::1", NEVER},
        {"1fff:ffff::", NEVER},
        {"2000::", OPEN},
        {"2001::1", NEVER},
        {"2001:1ff::", NEVER},
        {"2001:200::", OPEN},
        {"2001:db7::", OPEN},
        {"2001:db8::1", NEVER},
        {"2001:db9::", OPEN},
        {"2002:7f00:1::", NEVER},
        {"2003::", OPEN},
        {"2606:4700::1", OPEN},
        {"3ffe::", OPEN},
        {"3fff::1", NEVER},
        {"3fff:fff:ffff::", NEVER},
        {"3fff:1000::", OPEN},
        {"4000::", NEVER},
        {"5f00::1", NEVER},
        {"fbff::1", NEVER},
        {"fc00::1", INSIDE},
        {"fd00:ec2::253", INSIDE},
        {"fd00:ec2::254", NEVER},
        {"fdff::1", INSIDE},
        {"fe80::1", NEVER},
        {"fec0::1", NEVER},
        {"ff02::1", NEVER},
    };
    unsigned wrong = 0;

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (reach_of(all[i].address) != all[i].reach) {
            (void)printf("  %s: %d\n", all[i].address, (int)reach_of(all[i].address));
            wrong++;
        }
    CHECK(wrong == 0);
}

static void what_is_no_internet_address_is_out_of_bounds(void)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};

    CHECK(!outbound_public((const struct sockaddr *)&local));
    CHECK(!outbound_private((const struct sockaddr *)&local));
}

static void only_what_is_listed_is_listed(void)
{
    static const char list[] = "idp.internal:8443,localhost:1,10.0.0.1:443";

    CHECK(outbound_listed(list, "idp.internal", "8443"));
    CHECK(outbound_listed(list, "IDP.Internal", "8443"));
    CHECK(outbound_listed(list, "10.0.0.1", "443"));
    CHECK(!outbound_listed(list, "idp.internal", "443"));
    CHECK(!outbound_listed(list, "idp.internal.", "8443"));
    CHECK(!outbound_listed(list, "idp.internal", "84433"));
    CHECK(!outbound_listed(list, "x.idp.internal", "8443"));
    CHECK(!outbound_listed(list, "internal", "8443"));
    CHECK(!outbound_listed(list, "localhost", "11"));
    CHECK(!outbound_listed(list, "localhost:1,10.0.0.1", "443"));
    CHECK(!outbound_listed(list, "", ""));
    CHECK(!outbound_listed("", "localhost", "1"));
}

int main(void)
{
    RUN(every_range_ends_where_it_should);
    RUN(what_is_no_internet_address_is_out_of_bounds);
    RUN(only_what_is_listed_is_listed);
    return failures != 0;
}
