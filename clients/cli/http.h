/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_HTTP_H
#define CLI_HTTP_H

#include "clients/cli/cli.h"

#include <stdint.h>
#include <stdio.h>

enum { CALL_HEADERS_MAX = 4, REPLY_HEADERS_MAX = 32, REPLY_MAX = 64 << 20 };

/* One request. Nothing but method and path is needed. */
struct call {
    const char *method;
    const char *path;   /* from path_of, or a link of the service */
    const json_t *json; /* body, borrowed */
    const char *form;   /* body, application/x-www-form-urlencoded */
    FILE *file;         /* body: size bytes from where it stands */
    int64_t size;
    const char *headers[CALL_HEADERS_MAX]; /* "If-Match: …" */
    /* Where a 2xx reply's bytes go instead of into memory; false breaks off. */
    bool (*sink)(void *context, const char *data, size_t length);
    void *context;
    const char *progress; /* what to call the transfer at a terminal */
    bool patient;         /* the service may think for as long as it likes */
};

struct header {
    const char *name; /* lower case */
    const char *value;
};

/* Lives in c->arena. */
struct reply {
    const char *problem; /* why there is no answer; NULL when there is one */
    long status;
    const char *body; /* NUL-terminated; "" after a sink */
    size_t length;
    struct header headers[REPLY_HEADERS_MAX];
    size_t headers_count;
};

/* Percent-encoded path: each {} takes the next text (its '/' encoded), {+} too but leaves '/',
 * {project} the project, {1} … {9} the command's arguments. End the texts with NULL. */
char *path_of(const struct cli *c, const char *template, ...) __attribute__((sentinel));
/* path with "name=value" added to its query; unchanged when value is NULL. */
char *path_query(const struct cli *c, const char *path, const char *name, const char *value);

/* TLS is verified always; redirects are not followed. */
struct reply *http_call(const struct cli *c, const struct call *call);
const char *reply_header(const struct reply *r, const char *name);
void http_end(void);

/* Dies with the service's own words unless the reply is 2xx. */
void reply_expect(const struct cli *c, const struct reply *r);
/* The reply's JSON, owned by the arena; NULL when there is no body. Dies when it is none. */
json_t *reply_json(const struct cli *c, const struct reply *r);
/* Call, expect 2xx, read. body is borrowed and may be NULL. */
json_t *api(const struct cli *c, const char *method, const char *path, const json_t *body);
/* --limit, or the most that is ever listed. */
size_t list_limit(const struct cli *c);
/* Every page of a list as {"value":[…]}, at most max of it. */
json_t *api_list(const struct cli *c, const char *path, size_t max);
/* Make the arena free what json_pack returned; dies when that was NULL. */
json_t *keep(const struct cli *c, json_t *json);

#endif
