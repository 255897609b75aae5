/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OAUTH_DEVICE_H
#define OAUTH_DEVICE_H

#include "auth/oauth/grant.h"

/* The device grant (RFC 8628): ten minutes, eight letters without vowels (20^8 of them). */
enum { DEVICE_S = 600, USER_CODE = 8, DEVICE_WAIT_S = 5 };

struct device {
    const char *id;
    const char *hash;
    const char *user_code;
    const char *client_id; /* row id */
    const char *client;    /* its display name, or its name */
    const char *scope;
    const char *remote; /* where the device asked from */
    const char *state;
    const char *parent_id; /* the browser session of who said yes */
    int64_t polled_ms;     /* since it last asked; -1 for never */
    int64_t wait_seconds;
    bool expired;
};

/* In a transaction of the tenant. */
MUST_CHECK enum err device_insert(struct db *db, const struct opaque *handle,
                                  const struct device *d);
/* Devices that wait for a yes from this address. */
MUST_CHECK enum err device_waiting(struct db *db, const char *remote, int64_t *out);
MUST_CHECK enum err device_find(struct db *db, const char *id, struct device *out);
/* One that still waits for a yes; ERR_NOT_FOUND. */
MUST_CHECK enum err device_by_user_code(struct db *db, const char *user_code, struct device *out);
MUST_CHECK enum err device_decide(struct db *db, const char *id, const char *state,
                                  const char *parent_id);
MUST_CHECK enum err device_polled(struct db *db, const char *id, int64_t wait_seconds);
/* Once: ERR_NOT_FOUND. */
MUST_CHECK enum err device_spend(struct db *db, const char *id);

/* "wdjb mjht" to "WDJBMJHT"; false for what is none. */
bool user_code_read(const char *text, char out[USER_CODE + 1]);
void user_code_make(char out[USER_CODE + 1]);

#endif
