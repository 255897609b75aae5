/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/import/source.h"

#include "clients/cli/http.h"
#include "clients/cli/import/import.h"
#include "clients/cli/import/seen.h"
#include "clients/cli/table.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONNECT_SECONDS = 15, SILENT_SECONDS = 300, TRIES = 3, URI_MAX = 2000, SECRET_MAX = 8000 };

struct source {
    const char *uri;
    const char *ca;
    const char *user; /* "name:password" */
    const char *token;
    const char *workspace; /* header */
    CURL *handle;
    long status;
};

/* One exchange with it. */
struct answer {
    struct source *source;
    struct text body;
    FILE *file;
    int64_t left;
    const char *problem;
};

static const char *variable(const char *name)
{
    const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe): one thread */

    if (value != NULL && strlen(value) > SECRET_MAX)
        die(USAGE, "%s is too long", name);
    if (value != NULL && strpbrk(value, "\r\n") != NULL)
        die(USAGE, "%s has more than one line", name);
    return value != NULL && *value != '\0' ? value : NULL;
}

static bool loopback(const char *authority)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t length = strlen(names[i]);

        if (strncmp(authority, names[i], length) == 0 && strchr(":/", authority[length]) != NULL)
            return true;
    }
    return false;
}

static void check_uri(const struct cli *c, const char *uri, bool credentials)
{
    bool plain = strncmp(uri, "http://", 7) == 0;

    if (!plain && strncmp(uri, "https://", 8) != 0)
        die(USAGE, "usage: URI begins with https:// or http://");
    if (strlen(uri) > URI_MAX || strpbrk(uri, "?#@\\ \r\n") != NULL)
        die(USAGE, "usage: URI is only scheme, host, port and path; credentials come from the "
                   "environment (MLFLOW_SOURCE_TOKEN, or MLFLOW_SOURCE_USERNAME and _PASSWORD)");
    if (plain && credentials && !loopback(uri + 7) && option(c, "--cleartext") == NULL)
        die(USAGE,
            "usage: credentials would be readable on the way to %s: use https, or say "
            "--cleartext",
            uri);
}

struct source *source_open(const struct cli *c, const char *uri)
{
    struct source *s = arena_alloc(c->arena, sizeof(*s));
    const char *password = variable("MLFLOW_SOURCE_PASSWORD");
    const char *name = variable("MLFLOW_SOURCE_USERNAME");
    const char *workspace = option(c, "--source-workspace");
    size_t length = strlen(uri);

    s->token = variable("MLFLOW_SOURCE_TOKEN");
    if (name != NULL && password != NULL)
        s->user = arena_printf(c->arena, "%s:%s", name, password);
    check_uri(c, uri, s->token != NULL || s->user != NULL);
    while (length > 0 && uri[length - 1] == '/')
        length--;
    s->uri = arena_copy(c->arena, uri, length);
    s->ca = option(c, "--source-ca");
    if (workspace != NULL && !name_valid(workspace))
        die(USAGE, "usage: --source-workspace takes the name of a workspace");
    if (workspace != NULL)
        s->workspace = arena_printf(c->arena, "X-MLFLOW-WORKSPACE: %s", workspace);
    s->handle = curl_easy_init();
    if (s->handle == NULL)
        die(FAILED, "libcurl does not start");
    return s;
}

void source_close(struct source *s)
{
    curl_easy_cleanup(s->handle);
}

const char *source_uri(const struct source *s)
{
    return s->uri;
}

bool source_absent(const struct source *s)
{
    return s->status == 404 || s->status == 405;
}

static size_t on_body(char *data, size_t one, size_t length, void *context)
{
    struct answer *a = context;
    long status = 0;

    (void)one;
    (void)curl_easy_getinfo(a->source->handle, CURLINFO_RESPONSE_CODE, &status);
    if (a->file == NULL || status != 200) {
        text_add(&a->body, data, length);
        if (a->body.failed)
            a->problem = "the answer is larger than 64 MiB";
        return a->body.failed ? 0 : length;
    }
    if ((int64_t)length > a->left) {
        a->problem = "the file is larger than its listing says";
        return 0;
    }
    a->left -= (int64_t)length;
    if (fwrite(data, 1, length, a->file) == length)
        return length;
    die(USAGE, "there is no room for a file on its way: set TMPDIR to a folder that has it");
}

static void set_up(const struct source *s, const char *url, struct answer *a)
{
    CURL *h = s->handle;

    curl_easy_reset(h);
    curl_easy_setopt(h, CURLOPT_URL, url);
    curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, strncmp(url, "https", 5) == 0 ? "https" : "http");
    curl_easy_setopt(h, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(h, CURLOPT_PATH_AS_IS, 1L);
    if (s->ca != NULL)
        curl_easy_setopt(h, CURLOPT_CAINFO, s->ca);
    if (s->user != NULL)
        curl_easy_setopt(h, CURLOPT_USERPWD, s->user);
    curl_easy_setopt(h, CURLOPT_USERAGENT, "chancery/" CLIENT_VERSION);
    curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
    curl_easy_setopt(h, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(h, CURLOPT_LOW_SPEED_TIME, (long)SILENT_SECONDS);
    curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(h, CURLOPT_WRITEDATA, a);
}

static struct curl_slist *header_list(const struct cli *c, const struct source *s, bool json)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");

    if (json)
        list = curl_slist_append(list, "Content-Type: application/json");
    /* As MLflow's own client: a user name wins over a token. */
    if (s->token != NULL && s->user == NULL)
        list =
            curl_slist_append(list, arena_printf(c->arena, "Authorization: Bearer %s", s->token));
    if (s->workspace != NULL)
        list = curl_slist_append(list, s->workspace);
    return list;
}

static CURLcode perform(const struct cli *c, struct source *s, const char *path, const char *body,
                        struct answer *a)
{
    struct curl_slist *headers = header_list(c, s, body != NULL);
    char detail[CURL_ERROR_SIZE] = "";
    CURLcode code;

    a->problem = NULL;
    set_up(s, arena_printf(c->arena, "%s%s", s->uri, path), a);
    if (body != NULL)
        curl_easy_setopt(s->handle, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(s->handle, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(s->handle, CURLOPT_ERRORBUFFER, detail);
    code = curl_easy_perform(s->handle);
    curl_easy_setopt(s->handle, CURLOPT_ERRORBUFFER, NULL);
    (void)curl_easy_getinfo(s->handle, CURLINFO_RESPONSE_CODE, &s->status);
    curl_slist_free_all(headers);
    if (code != CURLE_OK && a->problem == NULL)
        a->problem = arena_text(c->arena, *detail == '\0' ? curl_easy_strerror(code) : detail);
    return code;
}

static bool worth_another(const struct source *s, CURLcode code)
{
    return (code != CURLE_OK && code != CURLE_WRITE_ERROR) || s->status == 429 || s->status >= 500;
}

/* What an answer means that is no 200. */
static const char *refusal(const struct cli *c, const struct source *s, const struct answer *a)
{
    json_t *body = json_loadb(a->body.data == NULL ? "" : a->body.data, a->body.length, 0, NULL);
    const char *message = json_string_value(json_object_get(body, "message"));

    if (body != NULL)
        arena_own(c->arena, body, (void (*)(void *))json_decref);
    if (s->status == 401 || s->status == 403)
        die(REFUSED,
            "%s refuses (%ld): give credentials in MLFLOW_SOURCE_TOKEN, or in "
            "MLFLOW_SOURCE_USERNAME and MLFLOW_SOURCE_PASSWORD",
            s->uri, s->status);
    if (s->status >= 300 && s->status < 400)
        return arena_printf(c->arena, "the source redirects (%ld), which is not followed",
                            s->status);
    return arena_printf(c->arena, "the source says %ld%s%.300s", s->status,
                        message == NULL ? "" : ": ", message == NULL ? "" : message);
}

static void rewind_file(struct answer *a, int64_t most)
{
    text_free(&a->body);
    a->body = text_new(SOURCE_ANSWER_MAX);
    a->left = most;
    if (a->file != NULL &&
        (fseeko(a->file, 0, SEEK_SET) != 0 || ftruncate(fileno(a->file), 0) != 0))
        die(USAGE, "a temporary file cannot be written");
}

/* Ask until there is an answer. NULL for a 200, else why there is none. */
static const char *exchange(const struct cli *c, struct source *s, const char *path,
                            const char *body, struct answer *a)
{
    int64_t most = a->left;
    CURLcode code = CURLE_OK;

    for (unsigned tries = 0; tries < TRIES; tries++) {
        if (tries > 0)
            pause_seconds(1U << (tries - 1));
        rewind_file(a, most);
        code = perform(c, s, path, body, a);
        if (!worth_another(s, code))
            break;
    }
    if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
        code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CONNECT_ERROR ||
        code == CURLE_SSL_CACERT_BADFILE)
        die(FAILED, "%s: %s; what is here stays, run it again to go on", s->uri, a->problem);
    if (code != CURLE_OK)
        return a->problem;
    return s->status == 200 ? NULL : refusal(c, s, a);
}

static json_t *read_object(const struct cli *c, const struct answer *a, const char **why)
{
    json_error_t wrong;
    json_t *json = json_loadb(a->body.data == NULL ? "" : a->body.data, a->body.length,
                              JSON_REJECT_DUPLICATES, &wrong);

    if (json == NULL) {
        *why = arena_printf(c->arena, "the source's answer is no JSON: %s", wrong.text);
        return NULL;
    }
    arena_own(c->arena, json, (void (*)(void *))json_decref);
    if (json_is_object(json))
        return json;
    *why = "the source's answer is no JSON object";
    return NULL;
}

json_t *source_ask(const struct cli *c, struct source *s, const char *path, const json_t *body,
                   const char **why)
{
    struct answer a = {.source = s, .left = 0};
    char *text = body == NULL ? NULL : json_dumps(body, JSON_COMPACT);
    json_t *json = NULL;

    if (text != NULL)
        arena_own(c->arena, text, free);
    *why = exchange(c, s, path, text, &a);
    if (*why == NULL)
        json = read_object(c, &a, why);
    text_free(&a.body);
    return json;
}

bool source_file(const struct cli *c, struct source *s, const char *path, FILE *out, int64_t most,
                 const char **why)
{
    struct answer a = {.source = s, .file = out, .left = most};

    *why = exchange(c, s, path, NULL, &a);
    if (*why == NULL && a.left > 0 && most != SIZE_UNSAID)
        *why = "the file is shorter than its listing says";
    text_free(&a.body);
    return *why == NULL;
}

static const char *page_path(const struct cli *c, const struct list *l, const char *token)
{
    if (token == NULL)
        return l->path;
    if (l->body == NULL)
        return path_query(c, l->path, "page_token", token);
    (void)json_object_set_new(l->body, "page_token", json_string(token));
    return l->path;
}

/* How many items of the page were not seen before. */
static size_t take_page(const struct list *l, const json_t *items, struct seen *seen)
{
    size_t fresh = 0;
    json_t *item;
    size_t i;

    json_array_foreach(items, i, item)
    {
        const char *id = json_string_value(member_at(item, l->id));

        if (id == NULL || !seen_add(seen, id, strlen(id)))
            continue;
        fresh++;
        l->on_item(l->context, item);
    }
    return fresh;
}

const char *source_list(struct import *im, const struct list *l)
{
    struct seen *seen = seen_new();
    char *token = NULL;
    const char *why = NULL;
    bool more = true;

    while (more && why == NULL) {
        struct arena *kept = unit_begin(im);
        const char *said;
        const json_t *page =
            source_ask(&im->work, im->source, page_path(&im->work, l, token), l->body, &said);
        size_t fresh = take_page(l, json_object_get(page, l->member), seen);
        const char *next = json_string_value(json_object_get(page, "next_page_token"));

        more = page != NULL && next != NULL && *next != '\0';
        if (page == NULL)
            why = arena_text(kept, said);
        else if (more && fresh == 0)
            why = "the source names page after page with nothing new in them";
        free(token);
        token = more ? strdup(next) : NULL;
        unit_end(im, kept);
    }
    free(token);
    seen_free(seen);
    return why;
}
