/* SPDX-License-Identifier: Apache-2.0 */
/* in-toto Statements v1 about a version: SLSA provenance v1 of its training, and the approvals it
 * has.
 */
#include "lineage/document/record.h"

#include <string.h>

/* Every file is a subject of its own: who has the bytes can check them against the statement. */
static json_t *subjects(struct document *d)
{
    const json_t *version = json_object_get(d->record, "version");
    json_t *list = json_array(), *file;
    size_t i;

    json_array_foreach(json_object_get(version, "files"), i, file)
    {
        json_array_append_new(list, json_pack("{s:s, s:{s:s}}", "name", record_text(file, "path"),
                                              "digest", "sha256", record_text(file, "sha256")));
    }
    return list;
}

static json_t *statement(struct document *d, const char *type, json_t *predicate)
{
    return json_pack("{s:s, s:o, s:s, s:o}", "_type", "https://in-toto.io/Statement/v1", "subject",
                     subjects(d), "predicateType", type, "predicate", predicate);
}

static json_t *materials(struct document *d)
{
    const json_t *spec = json_object_get(json_object_get(d->record, "job"), "spec");
    const json_t *code = json_object_get(spec, "code");
    json_t *list = json_array(), *input, *file;
    size_t i, k;

    json_array_foreach(json_object_get(d->record, "inputs"), i, input)
    {
        json_array_foreach(json_object_get(input, "files"), k, file)
        {
            json_array_append_new(
                list, json_pack("{s:s, s:s, s:{s:s}}", "uri",
                                arena_printf(d->arena, "%s/v1/%s/files/%s", d->url,
                                             record_text(input, "node"), record_text(file, "path")),
                                "name", record_text(input, "node"), "digest", "sha256",
                                record_text(file, "sha256")));
        }
    }
    if (json_is_object(code))
        json_array_append_new(
            list, json_pack("{s:s, s:{s:s}}", "uri",
                            arena_printf(d->arena, "git+%s", record_text(code, "repository")),
                            "digest", "gitCommit", record_text(code, "commit")));
    return list;
}

json_t *document_slsa(struct document *d)
{
    const json_t *job = json_object_get(d->record, "job");
    const json_t *manifest = json_object_get(json_object_get(d->record, "version"), "manifest");

    if (!json_is_object(job)) {
        document_lacks(d, "the job that made %s",
                       record_text(json_object_get(d->record, "version"), "node"));
        return json_object();
    }
    return statement(
        d, "https://slsa.dev/provenance/v1",
        json_pack("{s:{s:s, s:O, s:{s:O*}, s:o}, s:{s:{s:s}, s:{s:s, s:s, s:s}}}",
                  "buildDefinition", "buildType", arena_printf(d->arena, "%s/train/v1", d->url),
                  "externalParameters", json_object_get(job, "spec"), "internalParameters", "blas",
                  json_object_get(manifest, "blas"), "resolvedDependencies", materials(d),
                  "runDetails", "builder", "id", d->url, "metadata", "invocationId",
                  record_text(job, "id"), "startedOn",
                  record_second(d->arena, record_text(job, "started_at")), "finishedOn",
                  record_second(d->arena, record_text(job, "finished_at"))));
}

/* Predicate URL/approval/v1: the version, its digest, and each approval in force with who gave it.
 */
json_t *document_approval(struct document *d)
{
    const json_t *version = json_object_get(d->record, "version");
    json_t *approved = json_array(), *approval;
    size_t i;

    json_array_foreach(json_object_get(d->record, "approvals"), i, approval)
    {
        if (strcmp(record_text(approval, "state"), "approved") == 0)
            json_array_append(approved, approval);
    }
    if (json_array_size(approved) == 0)
        document_lacks(d, "an approval of %s", record_text(version, "node"));
    return statement(d, arena_printf(d->arena, "%s/approval/v1", d->url),
                     json_pack("{s:s, s:s, s:O, s:o}", "version", record_text(version, "node"),
                               "versionDigest", record_text(version, "digest"), "policy",
                               json_object_get(d->record, "policy"), "approvals", approved));
}
