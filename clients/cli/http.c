/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/http.h"

#include "clients/cli/progress.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECT_SECONDS = 15, SILENT_SECONDS = 120, SILENT_PATIENT = 3600 };

/* One handle for the whole run keeps the connection between calls. */
static CURL *handle;

struct exchange {
    const struct cli *cli;
    const struct call *call;
    struct reply *reply;
    struct text body;
    bool broken_off;
    int64_t left; /* of the file that is sent */
};

/* libcurl sends whatever it reads: a part of a file has its end here. */
static size_t on_read(char *out, size_t one, size_t length, void *context)
{
    struct exchange *x = context;
    size_t most = one * length;
    size_t got = fread(out, 1, x->left < (int64_t)most ? (size_t)x->left : most, x->call->file);

    x->left -= (int64_t)got;
    return got;
}

static size_t on_body(char *data, size_t one, size_t length, void *context)
{
    struct exchange *x = context;
    long status = 0;

    (void)one;
    (void)curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    if (x->call->sink != NULL && status >= 200 && status < 300) {
        x->broken_off = !x->call->sink(x->call->context, data, length);
        return x->broken_off ? 0 : length;
    }
    text_add(&x->body, data, length);
    return x->body.failed ? 0 : length;
}

static size_t on_header(char *data, size_t one, size_t length, void *context)
{
    struct exchange *x = context;
    struct reply *r = x->reply;
    const char *colon = memchr(data, ':', length);
    size_t end = length;
    char *name;

    (void)one;
    if (length >= 5 && memcmp(data, "HTTP/", 5) == 0)
        r->headers_count = 0; /* what came before was a 100 Continue */
    if (colon == NULL || r->headers_count == REPLY_HEADERS_MAX)
        return length;
    while (end > 0 && isspace((unsigned char)data[end - 1]))
        end--;
    name = arena_copy(x->cli->arena, data, (size_t)(colon - data));
    for (char *at = name; *at != '\0'; at++)
        *at = (char)tolower((unsigned char)*at);
    colon++;
    while (colon < data + end && *colon == ' ')
        colon++;
    r->headers[r->headers_count++] = (struct header){
        .name = name, .value = arena_copy(x->cli->arena, colon, (size_t)(data + end - colon))};
    return length;
}

static int on_progress(void *context, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    const struct exchange *x = context;
    curl_off_t total = up_total > 0 ? up_total : down_total;
    curl_off_t done = up_total > 0 ? up : down;

    if (total > 0)
        progress_bar(x->call->progress, (double)done / (double)total, "");
    return 0;
}

const char *reply_header(const struct reply *r, const char *name)
{
    for (size_t i = 0; i < r->headers_count; i++)
        if (strcmp(r->headers[i].name, name) == 0)
            return r->headers[i].value;
    return NULL;
}

static struct curl_slist *header_list(const struct cli *c, const struct call *call)
{
    struct curl_slist *list = NULL;

    if (call->json != NULL)
        list = curl_slist_append(list, "Content-Type: application/json");
    else if (call->form != NULL)
        list = curl_slist_append(list, "Content-Type: application/x-www-form-urlencoded");
    else if (call->file != NULL)
        list = curl_slist_append(list, "Content-Type: application/octet-stream");
    if (c->profile.token != NULL)
        list = curl_slist_append(
            list, arena_printf(c->arena, "Authorization: Bearer %s", c->profile.token));
    for (size_t i = 0; i < CALL_HEADERS_MAX && call->headers[i] != NULL; i++)
        list = curl_slist_append(list, call->headers[i]);
    return list;
}

static void set_body(struct exchange *x)
{
    const struct cli *c = x->cli;
    const struct call *call = x->call;

    if (call->json != NULL) {
        char *text = json_dumps(call->json, JSON_COMPACT);

        if (text == NULL)
            die(USAGE, "an argument is not UTF-8");
        arena_own(c->arena, text, free);
        curl_easy_setopt(handle, CURLOPT_POSTFIELDS, text);
    } else if (call->form != NULL) {
        curl_easy_setopt(handle, CURLOPT_POSTFIELDS, call->form);
    } else if (call->file != NULL) {
        curl_easy_setopt(handle, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(handle, CURLOPT_READFUNCTION, on_read);
        curl_easy_setopt(handle, CURLOPT_READDATA, x);
        curl_easy_setopt(handle, CURLOPT_INFILESIZE_LARGE, (curl_off_t)call->size);
    } else if (strcmp(call->method, "GET") != 0 && strcmp(call->method, "DELETE") != 0) {
        curl_easy_setopt(handle, CURLOPT_POSTFIELDS, "");
    }
}

static void set_connection(const struct cli *c, const struct call *call, const char *url)
{
    curl_easy_reset(handle);
    curl_easy_setopt(handle, CURLOPT_URL, url);
    curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, call->method);
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(handle, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    if (c->profile.ca != NULL)
        curl_easy_setopt(handle, CURLOPT_CAINFO, c->profile.ca);
    curl_easy_setopt(handle, CURLOPT_USERAGENT, "chancery/" CLIENT_VERSION);
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME,
                     (long)(call->patient ? SILENT_PATIENT : SILENT_SECONDS));
}

static void set_callbacks(const struct cli *c, struct exchange *x)
{
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, x);
    curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(handle, CURLOPT_HEADERDATA, x);
    if (x->call->progress != NULL && progress_wanted(c)) {
        curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
        curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, on_progress);
        curl_easy_setopt(handle, CURLOPT_XFERINFODATA, x);
    }
}

static const char *service_url(const struct cli *c)
{
    const char *url = c->profile.url;

    if (url == NULL)
        die(USAGE, "which service? give --url URL, or sign in with chancery login");
    if (strncmp(url, "https://", 8) != 0)
        die(USAGE, "%s does not begin with https://", url);
    return arena_copy(c->arena, url, strlen(url) - (url[strlen(url) - 1] == '/' ? 1 : 0));
}

struct reply *http_call(const struct cli *c, const struct call *call)
{
    struct exchange x = {.cli = c,
                         .call = call,
                         .reply = arena_alloc(c->arena, sizeof(struct reply)),
                         .body = text_new(REPLY_MAX),
                         .left = call->size};
    const char *base = service_url(c);
    struct curl_slist *headers = header_list(c, call);
    char detail[CURL_ERROR_SIZE] = "";
    CURLcode code;

    if (handle == NULL)
        handle = curl_easy_init();
    if (handle == NULL)
        die(FAILED, "libcurl does not start");
    set_connection(c, call, arena_printf(c->arena, "%s%s", base, call->path));
    set_body(&x);
    set_callbacks(c, &x);
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, detail);
    code = curl_easy_perform(handle);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, NULL);
    (void)curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &x.reply->status);
    if (call->progress != NULL && progress_wanted(c))
        progress_end();
    curl_slist_free_all(headers);
    if (code != CURLE_OK && !x.broken_off)
        x.reply->problem = arena_printf(c->arena, "%s: %s", base,
                                        detail[0] == '\0' ? curl_easy_strerror(code) : detail);
    x.reply->body = arena_copy(c->arena, x.body.data, x.body.length);
    x.reply->length = x.body.length;
    text_free(&x.body);
    return x.reply;
}

void http_end(void)
{
    if (handle != NULL)
        curl_easy_cleanup(handle);
    handle = NULL;
}
