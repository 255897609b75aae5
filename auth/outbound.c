/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/outbound.h"

#include "auth/outbound_guard.h"
#include "core/text.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    HOSTS = 256,
    HOST_MAX = 262,
    MINUTE_MS = 60000,
    CONNECT_SECONDS = 5,
    HEADERS_MAX = 64 * 1024
};

static const struct service *service;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* How often each host was asked in the running minute. */
static struct {
    pthread_mutex_t lock;
    struct {
        char name[HOST_MAX];
        int64_t minute;
        int count;
    } hosts[HOSTS];
} rate = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void prepare(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

void outbound_start(const struct service *s)
{
    service = s;
    (void)pthread_once(&once, prepare);
}

/* One request on its way. */
struct call {
    struct arena *arena;
    CURLU *url;
    const char *host;
    const char *port;
    bool may_be_private;
    bool refused;
    bool too_large;
    size_t headers;           /* bytes */
    struct curl_slist *lines; /* of headers that are sent */
    struct text body;
};

static void release_url(void *url)
{
    curl_url_cleanup(url);
}

static const char *part(struct call *c, CURLUPart what, unsigned flags)
{
    char *text = NULL;
    const char *out;

    if (curl_url_get(c->url, what, &text, flags) != CURLUE_OK)
        return NULL;
    out = arena_text(c->arena, text);
    curl_free(text);
    return out;
}

static enum err read_url(struct call *c, const char *url, const char **why)
{
    const char *scheme;

    (void)pthread_once(&once, prepare);
    c->url = curl_url();
    if (c->url == NULL)
        return ERR_INTERNAL;
    arena_own(c->arena, c->url, release_url);
    *why = "it is not an https URL";
    if (strlen(url) > 2000 || curl_url_set(c->url, CURLUPART_URL, url, 0) != CURLUE_OK)
        return ERR_DENIED;
    scheme = part(c, CURLUPART_SCHEME, 0);
    if (scheme == NULL || strcmp(scheme, "https") != 0)
        return ERR_DENIED;
    c->host = part(c, CURLUPART_HOST, 0);
    c->port = part(c, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    if (c->host == NULL || c->port == NULL || strlen(c->host) >= HOST_MAX)
        return ERR_DENIED;
    *why = "it has a user, a password or a fragment";
    if (part(c, CURLUPART_USER, 0) != NULL || part(c, CURLUPART_PASSWORD, 0) != NULL ||
        part(c, CURLUPART_FRAGMENT, 0) != NULL)
        return ERR_DENIED;
    *why = NULL;
    return OK;
}

enum err outbound_check(struct arena *a, const char *url, const char **why)
{
    struct call c = {.arena = a};

    return read_url(&c, url, why);
}

/* The host as an address, if it is one: 192.0.2.1 or [2001:db8::1]. */
static bool literal(const char *host, struct sockaddr_storage *out)
{
    struct sockaddr_in *four = (struct sockaddr_in *)out;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;
    char bare[HOST_MAX];
    size_t length = strlen(host);

    memset(out, 0, sizeof(*out));
    four->sin_family = AF_INET;
    if (inet_pton(AF_INET, host, &four->sin_addr) == 1)
        return true;
    if (length < 2 || host[0] != '[' || length >= sizeof(bare))
        return false;
    (void)snprintf(bare, sizeof(bare), "%.*s", (int)length - 2, host + 1);
    memset(out, 0, sizeof(*out));
    six->sin6_family = AF_INET6;
    return inet_pton(AF_INET6, bare, &six->sin6_addr) == 1;
}

enum err outbound_judge(struct arena *a, const char *url, const char **why)
{
    struct sockaddr_storage address;
    struct call c = {.arena = a};
    size_t length;

    TRY(read_url(&c, url, why));
    if (service != NULL && outbound_listed(service->config->outbound_private, c.host, c.port))
        return OK;
    *why = arena_printf(a, "%s is a loopback, private or reserved address", c.host);
    length = strlen(c.host);
    if (literal(c.host, &address))
        return outbound_public((const struct sockaddr *)&address) ? OK : ERR_DENIED;
    if (strcasecmp(c.host, "localhost") == 0 ||
        (length > 10 && strcasecmp(c.host + length - 10, ".localhost") == 0))
        return ERR_DENIED;
    *why = NULL;
    return OK;
}

/* A host's place is found by its name, or is the place of whoever was asked longest ago. */
static bool within_rate(const char *host)
{
    int64_t minute = time_steady_ms() / MINUTE_MS;
    size_t at = 0;
    bool within;

    (void)pthread_mutex_lock(&rate.lock);
    for (size_t i = 0; i < HOSTS; i++) {
        if (strcmp(rate.hosts[i].name, host) == 0) {
            at = i;
            break;
        }
        if (rate.hosts[i].minute < rate.hosts[at].minute)
            at = i;
    }
    if (strcmp(rate.hosts[at].name, host) != 0 || rate.hosts[at].minute != minute) {
        (void)snprintf(rate.hosts[at].name, HOST_MAX, "%s", host);
        rate.hosts[at].minute = minute;
        rate.hosts[at].count = 0;
    }
    within = rate.hosts[at].count++ < OUTBOUND_PER_MINUTE;
    (void)pthread_mutex_unlock(&rate.lock);
    return within;
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct call *c = arg;

    (void)purpose;
    if (!outbound_public(&to->addr) && !(c->may_be_private && outbound_private(&to->addr))) {
        c->refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static size_t take_body(char *data, size_t size, size_t count, void *arg)
{
    struct call *c = arg;

    text_add(&c->body, data, size * count);
    c->too_large = c->body.failed;
    return c->body.failed ? 0 : size * count;
}

/* libcurl keeps every header it is sent. */
static size_t take_header(const char *data, size_t size, size_t count, void *arg)
{
    struct call *c = arg;

    (void)data;
    c->headers += size * count;
    c->too_large = c->headers > HEADERS_MAX;
    return c->too_large ? 0 : size * count;
}

static void set_up(CURL *curl, struct call *c, const struct outbound *o)
{
    const char *ca = service == NULL ? "" : service->config->outbound_ca;

    (void)curl_easy_setopt(curl, CURLOPT_CURLU, c->url);
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
    (void)curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)OUTBOUND_SECONDS);
    (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
    (void)curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    (void)curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (*ca != '\0')
        (void)curl_easy_setopt(curl, CURLOPT_CAINFO, ca);
    (void)curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    (void)curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, c);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, c);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERDATA, c);
    (void)curl_easy_setopt(curl, CURLOPT_USERAGENT, "chancery");
    for (size_t i = 0; o->headers != NULL && o->headers[i] != NULL; i++)
        c->lines = curl_slist_append(c->lines, o->headers[i]);
    if (c->lines != NULL)
        (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, c->lines);
    if (o->json != NULL)
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, o->json);
    if (o->form != NULL)
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, o->form);
    if (o->user != NULL) {
        (void)curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        (void)curl_easy_setopt(curl, CURLOPT_USERNAME, o->user);
        (void)curl_easy_setopt(curl, CURLOPT_PASSWORD, o->password);
    }
}

static enum err perform(struct call *c, const struct outbound *o, long *status, const char **why)
{
    CURL *curl = curl_easy_init();
    enum err e = OK;
    CURLcode code;

    if (curl == NULL)
        return ERR_INTERNAL;
    set_up(curl, c, o);
    code = curl_easy_perform(curl);
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status);
    if (c->refused) {
        *why = arena_printf(c->arena, "%s:%s is a loopback, private or reserved address", c->host,
                            c->port);
        e = ERR_DENIED;
    } else if (c->too_large) {
        *why = arena_printf(c->arena, "%s said more than %d bytes", c->host,
                            c->headers > HEADERS_MAX ? HEADERS_MAX : OUTBOUND_BODY_MAX);
        e = ERR_UNAVAILABLE;
    } else if (code != CURLE_OK) {
        *why = arena_printf(c->arena, "%s: %s", c->host, curl_easy_strerror(code));
        e = ERR_UNAVAILABLE;
    }
    curl_easy_cleanup(curl);
    curl_slist_free_all(c->lines);
    return e;
}

enum err outbound_send(struct arena *a, const struct outbound *o, struct outbound_reply *reply,
                       const char **why)
{
    struct call c = {.arena = a, .body = text_new(OUTBOUND_BODY_MAX)};
    enum err e = read_url(&c, o->url, why);

    *reply = (struct outbound_reply){.body = ""};
    if (e != OK)
        return e;
    if (!within_rate(arena_printf(a, "%s:%s", c.host, c.port))) {
        *why = arena_printf(a, "%s was asked too often; try again in a minute", c.host);
        return ERR_RATE;
    }
    c.may_be_private =
        service != NULL && outbound_listed(service->config->outbound_private, c.host, c.port);
    e = perform(&c, o, &reply->status, why);
    if (e == OK) {
        reply->length = c.body.length;
        reply->body = arena_copy(a, c.body.data == NULL ? "" : c.body.data, c.body.length);
    }
    text_free(&c.body);
    return e;
}
