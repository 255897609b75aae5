/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIGN_IN_PAGE_H
#define SIGN_IN_PAGE_H

#include "core/request.h"

/* The few pages that people see while they sign in: plain HTML forms, nothing loaded, and a script
 * only where a passkey is used, which needs one.
 * Write between page_begin and page_send; texts from outside only through page_text. */
enum { PAGE_MAX = 65536 };

void page_begin(struct text *t, const char *title);
void page_text(struct text *t, const char *s);
/* What went wrong; nothing for NULL. */
void page_alert(struct text *t, const char *what);
/* <input type="hidden">; nothing for a value of NULL. */
void page_hidden(struct text *t, const char *name, const char *value);
/* Sent with a policy that allows nothing but our style and forms to ourselves and, after them, to
 * next (an origin; NULL for none). Takes t. */
enum err page_send(struct request *rq, struct text *t, unsigned status, const char *next);
/* The same with this script, and no other, at its end. */
enum err page_send_script(struct request *rq, struct text *t, unsigned status, const char *next,
                          const char *script);
/* A page that only says what is wrong. */
void page_problem(struct request *rq, unsigned status, const char *message);

/* Forms carry a MAC of a cookie that only our own pages set (login CSRF included). The token is the
 * value of the hidden member "csrf"; making it may set the cookie on the reply. */
const char *page_token(struct request *rq);
/* ERR_DENIED unless the form is from a page of ours: by token, Origin and Sec-Fetch-Site. */
MUST_CHECK enum err page_check(struct request *rq, const char *token);
/* The value of a cookie; NULL for none, or for one that is there twice. */
const char *page_cookie(struct request *rq, const char *name);
/* 303 See Other (RFC 9700 §4.12), never kept. */
enum err page_redirect(struct request *rq, const char *location);

#endif
