/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_REQUEST_H
#define CORE_REQUEST_H

#include "core/arena.h"
#include "core/crypto.h"
#include "core/db.h"
#include "core/err.h"
#include "core/field.h"
#include "core/text.h"

#include <jansson.h>
#include <sys/types.h>

enum { PATH_ARGS_MAX = 6, PAIRS_MAX = 64 };

/* Who asks. Filled by dispatch from the token; all texts live as long as the request. */
enum principal_kind { PRINCIPAL_NONE, PRINCIPAL_USER, PRINCIPAL_SERVICE };
struct caller {
    enum principal_kind kind;
    const char *tenant_id; /* UUID; "" for nobody */
    const char *tenant;    /* name */
    const char *id;        /* principal's UUID; "" for nobody */
    const char *name;
    const char *owner_id; /* of a service account: the user who answers for it; else "" */
    const char *token_id; /* jti or personal access token id; "" for none */
    int64_t expires_ms;   /* of the token */
};

/* What a route line says (service/routes.def and the routes.def of each folder). */
enum scope {
    SCOPE_NONE,      /* public: no token is read */
    SCOPE_SELF,      /* any valid token; the handler touches only the caller's own things */
    SCOPE_PLATFORM,  /* the installation */
    SCOPE_TENANT,    /* the caller's tenant */
    SCOPE_PROJECT,   /* the project named by the first {…} of the path */
    SCOPE_WORKSPACE, /* the project named by the header X-MLFLOW-WORKSPACE; see auth_allow */
};
/* What an entry keeps: who did what to what; the body too; the answer too. */
enum audit_level { AUDIT_NONE, AUDIT_METADATA, AUDIT_REQUEST, AUDIT_RESPONSE };
enum dialect {
    DIALECT_CHANCERY,
    DIALECT_OAUTH,
    DIALECT_OIP,
    DIALECT_MLFLOW,
    DIALECT_SCIM,
    DIALECT_PAGE /* for people: errors are HTML */
};
enum lane { LANE_READ, LANE_WRITE, LANE_SLOW };
/* Whose share of the workers a request takes; see service/share.h. Other numbers are hashes: of a
 * tenant, of a browser that is known. */
enum flow {
    FLOW_PUBLIC,   /* whoever asks what anyone may ask */
    FLOW_SIGN_IN,  /* passwords from browsers that are not known: half of the threads at most */
    FLOW_UNPROVEN, /* credentials that were not seen before */
    FLOWS_NAMED
};

struct request;

struct route {
    const char *method;
    const char *path;
    unsigned action; /* enum action of auth/access/action.h; 0 denies */
    enum scope scope;
    enum tx tx;
    enum audit_level audit;
    const struct field *body; /* no_body, file_body, raw_body or the members of a JSON object */
    enum dialect dialect;
    enum err (*handler)(struct request *rq);
    const char *name; /* the handler's, e.g. "post_approval_decision" */
    const char *help; /* one sentence for OpenAPI and the command line */
};

/* Special body tables: none is allowed; streamed to a file (rq->upload); the same, but no more than
 * EVENTS_BODY_MAX bytes as sent; any bytes up to 1 MiB; a JSON object of which the handler reads
 * what it knows. */
enum { EVENTS_BODY_MAX = 16 << 20 };
extern const struct field no_body[];
extern const struct field file_body[];
extern const struct field events_body[];
extern const struct field raw_body[];
extern const struct field object_body[];

bool body_streamed(const struct field *body);

struct pair {
    const char *name; /* headers: lower case */
    const char *value;
};

/* A body that was streamed to a temporary file, hashed on the way. The handler takes it by moving
 * path away (or linking it); whatever is left is unlinked when the request ends. */
struct upload {
    const char *path;
    int64_t size;
    struct digest sha256;
    bool complete; /* every announced byte arrived */
};

/* A reply that goes on: next is called on a thread of its own, with its own connection, about every
 * 300 ms and appends what there is to say; OK for "call again", any error for the end. */
struct stream {
    enum err (*next)(struct db *db, void *state, struct text *out);
    void *state; /* in the request's arena */
};

enum reply_kind { REPLY_NONE, REPLY_BYTES, REPLY_FILE, REPLY_STREAM };
struct reply {
    unsigned status; /* 0: what the outcome says */
    enum reply_kind kind;
    const char *type; /* media type */
    const char *bytes;
    size_t length;
    int fd; /* REPLY_FILE: closed with the request; bytes offset … offset + size - 1 are sent */
    int64_t offset;
    int64_t size;
    struct stream stream;
    struct pair headers[16];
    size_t headers_count;
};

/* One request from its first byte to its reply. What handlers may touch is all here. */
struct request {
    struct arena *arena;
    struct db *db;  /* the worker's */
    const char *id; /* UUIDv7, in the log, the audit entry and the X-Request-Id header */
    const struct route *route;
    struct caller caller;
    const char *method;
    const char *path;
    const char *args[PATH_ARGS_MAX]; /* the {…} parts of the path, decoded, in order */
    const char *remote;              /* address of the peer, as text */
    const char *host;                /* the Host header: "127.0.0.1:8443" */
    struct pair query[PAIRS_MAX];
    size_t query_count;
    struct pair headers[PAIRS_MAX];
    size_t headers_count;
    bool entered;    /* the caller is known and allowed */
    bool metered;    /* its rate limits have been asked */
    uint64_t flow;   /* enum flow, or a hash */
    void *seen;      /* what auth saw of its credential at the door; NULL: did not look */
    const char *raw; /* the body's bytes, if it was not streamed */
    size_t raw_length;
    const json_t *body;    /* parsed, for routes with a JSON body */
    struct upload *upload; /* for routes with a body_streamed */

    enum err outcome;
    const char *detail; /* of a failure; NULL for none */
    const char *target; /* the member or parameter at fault; NULL for none */
    struct reply reply;

    const char
        *object; /* what the request was about, for the audit entry: "models/credit/versions/3" */
    const char *project; /* its project's name, if any */
    json_t *audit; /* what else the audit entry should say; owned by the arena; NULL for none */
    const char *audit_id; /* of the request's audit entry; NULL until there is one */
    bool audited;         /* that entry is committed */
    void *work;           /* what a handler hands to the body of its request_tx */
    uint64_t moved;       /* the transaction by which it changed a policy, see struct db; 0: none */
    int64_t good_until_ms; /* clock of auth/access/lease.h: what was allowed is not said after; 0:
                              ever */
};

/* Record why the request ends, and give e back, so that `return fail(...)` says it in one line. A
 * macro, so that compilers and analysers see which error it is. */
#define fail(rq, e, ...) (fail_because((rq), __VA_ARGS__), (e))
void fail_because(struct request *rq, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Read the body into *out by the fields of the route; fails with the name of the member at fault.
 */
MUST_CHECK enum err request_read(struct request *rq, void *out);

/* Query parameters and headers (lower-case names); NULL when absent. Both refuse nothing. */
const char *request_query(const struct request *rq, const char *name);
const char *request_header(const struct request *rq, const char *name);
/* An integer query parameter within bounds, or its default; ERR_INVALID names it. */
MUST_CHECK enum err request_query_int(struct request *rq, const char *name, int64_t least,
                                      int64_t most, int64_t fallback, int64_t *out);

/* Replies are sent after the commit and not before. The last call wins. */
enum err request_reply(struct request *rq, const struct field *fields, const void *in);
enum err request_reply_json(struct request *rq, json_t *json); /* takes json */
/* {"value":[…],"nextLink":…}; next is the cursor of the following page, NULL for none; it replaces
 * the query parameter "after" in a link to the same path. */
enum err request_reply_list(struct request *rq, const struct field *fields, size_t size,
                            const struct rows *rows, const char *next);
enum err request_reply_bytes(struct request *rq, const char *type, const void *bytes,
                             size_t length);
enum err request_reply_empty(struct request *rq); /* 204 */
enum err request_reply_file(struct request *rq, const char *type, int fd, int64_t size);
enum err request_reply_stream(struct request *rq, const char *type, struct stream stream);
/* Take back whatever was replied so far, headers included. */
void request_unreply(struct request *rq);
void request_status(struct request *rq, unsigned status); /* 201, 202, … */
void request_set_header(struct request *rq, const char *name, const char *value);
/* Beside others of the name: Set-Cookie. */
void request_add_header(struct request *rq, const char *name, const char *value);

/* What the request was about, for its audit entry. */
void request_object(struct request *rq, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* One more member of the audit entry's detail; takes value. */
void request_audit(struct request *rq, const char *name, json_t *value);

/* For TX_MANUAL routes: run body in a write transaction with the request's audit entry, which says
 * the status that body has set (else 200). At most once a request that succeeds. */
MUST_CHECK enum err request_tx(struct request *rq, enum err (*body)(struct request *rq));

#endif
