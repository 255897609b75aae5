/* SPDX-License-Identifier: Apache-2.0 */
#include "service/framing.h"

#include <string.h>
#include <strings.h>

enum { TARGET_MAX = 8192 };

/* RFC 9110 §5.6.2 */
static bool is_token(const char *name)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    const char *c;

    for (c = name; *c != '\0'; c++) {
        bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');
        bool digit = *c >= '0' && *c <= '9';

        if (!letter && !digit && strchr(marks, *c) == NULL)
            return false;
    }
    return c != name;
}

/* RFC 9110 §5.5 */
static bool has_control(const char *value)
{
    for (const unsigned char *c = (const unsigned char *)value; *c != '\0'; c++)
        if ((*c < 0x20 && *c != '\t') || *c == 0x7f)
            return true;
    return false;
}

enum { ESCAPE = 3 };

/* Is the segment, up to the next '/' or the end of the path, "." or "..", however it is written? */
static bool is_dots(const char *segment)
{
    size_t dots = 0;

    while (*segment != '\0' && *segment != '/' && *segment != '?') {
        if (*segment == '.')
            segment++;
        else if (*segment == '%' && percent_byte(segment, ESCAPE) == '.')
            segment += ESCAPE;
        else
            return false;
        dots++;
    }
    return dots == 1 || dots == 2;
}

static const char *check_escape(const char *percent, bool in_path)
{
    int byte = percent_byte(percent, ESCAPE); /* reads no further than the end */

    if (byte < 0)
        return in_path ? "the path has a % without two hexadecimal digits" : NULL;
    if (byte == 0)
        return "the request target has a %00";
    if (in_path && byte == '\\')
        return "the path has an escaped backslash";
    return NULL;
}

static const char *check_slash(const char *slash)
{
    if (slash[1] == '/')
        return "the path has an empty part";
    if (is_dots(slash + 1))
        return "the path has a part \".\" or \"..\"";
    return NULL;
}

const char *framing_target(const char *target)
{
    bool in_path = true;

    if (target[0] != '/')
        return "the request target must be a path";
    if (strlen(target) > TARGET_MAX)
        return "the request target is longer than 8192 bytes";
    for (const char *c = target; *c != '\0'; c++) {
        const char *wrong = NULL;

        if ((unsigned char)*c <= ' ' || *c == 0x7f || *c == '#' || (in_path && *c == '\\'))
            return "the request target has a character that must be escaped";
        if (*c == '?')
            in_path = false;
        else if (*c == '%')
            wrong = check_escape(c, in_path);
        else if (*c == '/' && in_path)
            wrong = check_slash(c);
        if (wrong != NULL)
            return wrong;
    }
    return NULL;
}

struct seen {
    unsigned host;
    unsigned length;
    unsigned encoding;
    unsigned authorization;
    unsigned type;
    const char *length_value;
    const char *encoding_value;
};

static const char *look_at(const struct pair *h, struct seen *seen)
{
    if (!is_token(h->name))
        return "a header has a name that is no token";
    if (has_control(h->value))
        return "a header has a control character in its value";
    if (strcmp(h->name, "host") == 0)
        seen->host++;
    if (strcmp(h->name, "authorization") == 0)
        seen->authorization++;
    if (strcmp(h->name, "content-type") == 0)
        seen->type++;
    if (strcmp(h->name, "content-length") == 0) {
        seen->length++;
        seen->length_value = h->value;
    }
    if (strcmp(h->name, "transfer-encoding") == 0) {
        seen->encoding++;
        seen->encoding_value = h->value;
    }
    return NULL;
}

static const char *check_seen(const struct seen *seen, const char *version, struct frame *frame)
{
    uint64_t length = 0;

    if (seen->length > 1)
        return "there is more than one Content-Length";
    if (seen->encoding > 1)
        return "there is more than one Transfer-Encoding";
    if (seen->encoding == 1 && seen->length == 1)
        return "there is a Content-Length beside a Transfer-Encoding";
    if (seen->encoding == 1 && strcasecmp(seen->encoding_value, "chunked") != 0)
        return "the only Transfer-Encoding taken is chunked";
    if (seen->encoding == 1 && strcmp(version, "HTTP/1.1") != 0)
        return "Transfer-Encoding needs HTTP/1.1";
    if (seen->length == 1 && !uint_parse(seen->length_value, INT64_MAX, &length))
        return "the Content-Length is no number";
    if (seen->host != 1)
        return "there must be exactly one Host";
    if (seen->authorization > 1 || seen->type > 1)
        return "there is more than one Authorization or Content-Type";
    frame->chunked = seen->encoding == 1;
    frame->length = (int64_t)length;
    frame->has_body = frame->chunked || length > 0;
    return NULL;
}

const char *framing_check(const struct request *rq, const char *version, struct frame *frame)
{
    struct seen seen = {0};
    const char *wrong = framing_target(rq->path);

    *frame = (struct frame){0};
    for (size_t i = 0; i < rq->headers_count && wrong == NULL; i++)
        wrong = look_at(&rq->headers[i], &seen);
    if (wrong == NULL)
        wrong = check_seen(&seen, version, frame);
    if (wrong != NULL)
        frame->has_body = true;
    return wrong;
}
