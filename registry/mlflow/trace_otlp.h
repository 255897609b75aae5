/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MLFLOW_TRACE_OTLP_H
#define MLFLOW_TRACE_OTLP_H

#include "core/err.h"
#include "core/protobuf.h"

/* Spans as OpenTelemetry's programs export them (opentelemetry-proto 1.x, trace_service.proto), as
 * a JSON list of flat records: trace, id, parent, name, status, message, kind, start, end (in
 * nanoseconds), attributes, events and links. What is no text in UTF-8 becomes one, with U+FFFD for
 * what is none; bytes become Base64. */
enum {
    OTLP_SPANS_MAX = 20000,
    OTLP_DEPTH_MAX = 64,         /* of lists and maps in a value */
    OTLP_RECORDS_MAX = 64 << 20, /* bytes of JSON */
};

struct otlp_batch {
    struct text records;
    size_t taken;
    size_t rejected; /* spans that break the format's rules, and only they */
    const char *why; /* of the last one rejected; NULL for none */
};

/* batch->records is the caller's to free, whatever is returned. ERR_INVALID when it is not that
 * message, ERR_TOO_LARGE past a limit; *why says so. */
MUST_CHECK enum err otlp_read(struct span message, struct otlp_batch *batch, const char **why);

#endif
