/* SPDX-License-Identifier: Apache-2.0 */
#include "service/address.h"

#include "core/log.h"
#include "core/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static enum err refuse(const char *text)
{
    log_ours(
        "setting listen: \"%s\" is not ADDRESS:PORT with a numeric address, [ADDRESS]:PORT for "
        "IPv6, and a port up to 65535",
        text);
    return ERR_INVALID;
}

enum err address_parse(struct arena *a, const char *text, struct address *out)
{
    const char *colon = strrchr(text, ':');
    struct in6_addr v6 = IN6ADDR_ANY_INIT;
    struct in_addr v4 = {0};
    uint64_t port;
    char *host;

    if (colon == NULL || !uint_parse(colon + 1, UINT16_MAX, &port))
        return refuse(text);
    host = arena_copy(a, text, (size_t)(colon - text));
    out->v6 = host[0] == '[' && host[strlen(host) - 1] == ']';
    if (out->v6) {
        host[strlen(host) - 1] = '\0';
        host++;
    }
    if (inet_pton(out->v6 ? AF_INET6 : AF_INET, host, out->v6 ? (void *)&v6 : (void *)&v4) != 1)
        return refuse(text);
    out->any = out->v6 ? IN6_IS_ADDR_UNSPECIFIED(&v6) : v4.s_addr == INADDR_ANY;
    out->host = host;
    out->port = (uint16_t)port;
    return OK;
}

enum err address_pick_port(struct address *address)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr *any = address->v6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
    socklen_t length = address->v6 ? sizeof(v6) : sizeof(v4);
    int fd;

    if (address->port != 0)
        return OK;
    (void)inet_pton(any->sa_family, address->host,
                    address->v6 ? (void *)&v6.sin6_addr : (void *)&v4.sin_addr);
    fd = socket(any->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, any, length) == 0 && getsockname(fd, any, &length) == 0)
        address->port = ntohs(address->v6 ? v6.sin6_port : v4.sin_port);
    else
        log_ours("cannot listen on %s: %s", address->host, strerrordesc_np(errno));
    if (fd >= 0)
        (void)close(fd);
    return address->port != 0 ? OK : ERR_UNAVAILABLE;
}

const char *address_url(struct arena *a, const struct address *address)
{
    const char *host = address->host;

    if (address->any)
        host = address->v6 ? "::1" : "127.0.0.1";
    return arena_printf(a, address->v6 ? "https://[%s]:%u" : "https://%s:%u", host,
                        (unsigned)address->port);
}

/* Lower case and no port 443: browsers name their origin so, and it is compared with this. */
bool address_url_valid(const char *url)
{
    static const char scheme[] = "https://";
    const char *host = url + sizeof(scheme) - 1;
    size_t length;
    uint64_t port;

    if (strncmp(url, scheme, sizeof(scheme) - 1) != 0)
        return false;
    if (*host == '[') {
        length = strspn(host + 1, "0123456789abcdef:.");
        if (length == 0 || host[1 + length] != ']')
            return false;
        host += 2 + length;
    } else {
        length = strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789.-");
        if (length == 0 || *host == '.' || *host == '-')
            return false;
        host += length;
    }
    return *host == '\0' || (*host == ':' && uint_parse(host + 1, 65535, &port) && port != 443);
}
