/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMPUTE_FRAME_H
#define COMPUTE_FRAME_H

#include "core/err.h"

#include <stddef.h>
#include <stdint.h>

/* What service and engine say to each other over a connected stream socket: u32 length of the JSON,
 * u32 length of the payload (both little-endian), the JSON text, the payload's bytes. */
enum { FRAME_JSON_MAX = 1 << 20, FRAME_PAYLOAD_MAX = 1 << 26, FRAME_HEAD = 8 };

struct frame {
    char *json; /* NUL-terminated */
    size_t json_length;
    unsigned char *payload; /* aligned as malloc aligns */
    size_t payload_length;
    size_t json_room;
    size_t payload_room;
};

/* Wait for the next frame, at most timeout_ms in all (negative: for ever). The frame is zeroed
 * before its first use, keeps its memory from one call to the next, and is freed with frame_free.
 * ERR_UNAVAILABLE: the peer closed between two frames. ERR_TIMEOUT. ERR_TOO_LARGE: more was
 * announced than is allowed. ERR_ENGINE: the connection broke, or ended inside a frame. After any
 * of these the stream is of no more use. */
MUST_CHECK enum err frame_read(int fd, struct frame *f, int64_t timeout_ms);
void frame_free(struct frame *f);

/* The same errors, ERR_ENGINE when the peer is gone; no SIGPIPE. */
MUST_CHECK enum err frame_write(int fd, const struct frame *f, int64_t timeout_ms);

#endif
