/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/run.h"

#include "clients/cli/asset.h"
#include "clients/cli/bundle.h"
#include "clients/cli/http.h"
#include "clients/cli/print.h"

#include <string.h>

enum { ROUNDS_MAX = 10, VKEY_MAX = 4096 };

static json_t *send_head(struct cli *c, const struct bundle_file *b)
{
    struct call call = {.method = "POST",
                        .path = path_of(c, "/v1/projects/{project}/bundles/import", NULL),
                        .file = b->file,
                        .size = (int64_t)b->head.length,
                        .patient = true};
    const struct reply *r;

    if (fseeko(b->file, 0, SEEK_SET) != 0)
        die(USAGE, "the bundle must be a file that can be read twice");
    r = http_call(c, &call);
    reply_expect(c, r);
    return reply_json(c, r);
}

static void send_file(struct cli *c, const struct bundle_file *b, const char *version,
                      const json_t *file)
{
    const struct sealed_member *m = sealed_find(
        &b->sealed, arena_printf(c->arena, SEALED_FILES "%s", sealed_text(file, "sha256")));

    if (m == NULL || m->data != NULL)
        die(FAILED, "the service wants a file that the bundle does not have");
    transfer_send_part(
        c, path_of(c, "/v1/projects/{project}/{+}", version, NULL), sealed_text(file, "path"),
        &(struct transfer_part){b->file, b->places[m - b->sealed.members], m->size, m->sha256});
}

/* How many files were sent. */
static size_t send_missing(struct cli *c, const struct bundle_file *b, const json_t *answer)
{
    const json_t *version, *file;
    size_t i, k, sent = 0;

    json_array_foreach(json_object_get(answer, "versions"), i, version)
    {
        json_array_foreach(json_object_get(version, "missing"), k, file)
        {
            send_file(c, b, sealed_text(version, "version"), file);
            sent++;
        }
    }
    return sent;
}

static void tell(struct cli *c, const struct bundle_file *b, const json_t *answer)
{
    if (printed(c, answer))
        return;
    bundle_tell(c, b, "imported");
    print_array(c, "\nhere", json_object_get(answer, "versions"),
                "VERSION=version,DIGEST=digest,ORIGIN=origin");
    say(c,
        "\nThe approvals of the origin are on record with each version and approve nothing here.");
}

/* All of the bundle is checked before anything is sent, and again by the service. */
int run_bundle_import(struct cli *c)
{
    const struct sealed_trust trust = bundle_trust(c);
    const json_t *answer;
    struct bundle_file b;

    bundle_check(c, c->args.values[0], &trust, &b);
    answer = send_head(c, &b);
    for (int i = 0; i < ROUNDS_MAX && strcmp(sealed_text(answer, "state"), "imported") != 0; i++) {
        size_t sent = send_missing(c, &b, answer);

        if (sent == 0 && i > 1)
            break;
        answer = send_head(c, &b);
    }
    if (strcmp(sealed_text(answer, "state"), "imported") != 0)
        die(FAILED, "the service does not come to an end with this bundle");
    tell(c, &b, answer);
    bundle_close(&b);
    return DONE;
}

int run_bundle_trust(struct cli *c)
{
    size_t length;
    char *vkey = file_read(c, c->args.values[1], VKEY_MAX, &length);

    vkey[strcspn(vkey, "\r\n")] = '\0';
    print_object(c, api(c, "PUT", path_of(c, "/v1/bundle-origins/{1}", NULL),
                        keep(c, json_pack("{s:s}", "vkey", vkey))));
    return DONE;
}
