/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/asset.h"

#include "clients/cli/http.h"
#include "clients/cli/print.h"
#include "clients/cli/run.h"

#include <string.h>

const char *asset_kind(const struct cli *c)
{
    const char *name = c->command->name;

    return arena_printf(c->arena, "%.*ss", (int)strcspn(name, " "), name);
}

const char *version_path(const struct cli *c, const char *name, const char *version,
                         const char *rest)
{
    const char *path =
        path_of(c, "/v1/projects/{project}/{}/{}/versions/{}", asset_kind(c), name, version, NULL);

    return arena_printf(c->arena, "%s%s", path, rest);
}

static json_int_t newest_ready(const struct cli *c, const char *kind, const char *name)
{
    const char *path = path_of(c, "/v1/projects/{project}/{}/{}/versions", kind, name, NULL);
    const json_t *list = api_list(c, path, 1000);
    const json_t *version;
    json_int_t newest = 0;
    size_t i;

    json_array_foreach(json_object_get(list, "value"), i, version)
    {
        const char *state = json_string_value(json_object_get(version, "state"));
        json_int_t number = json_integer_value(json_object_get(version, "number"));

        if (state != NULL && strcmp(state, "ready") == 0 && number > newest)
            newest = number;
    }
    if (newest == 0)
        die(REFUSED, "not-found: %s/%s has no version that is ready", kind, name);
    return newest;
}

static bool is_path(const char *kind, const char *text)
{
    size_t length = strlen(kind);

    return strncmp(text, kind, length) == 0 && text[length] == '/';
}

const char *asset_named(const struct cli *c, const char *kind, const char *text)
{
    return is_path(kind, text) ? text : arena_printf(c->arena, "%s/%s", kind, text);
}

const char *version_named(const struct cli *c, const char *kind, const char *text)
{
    size_t length = strcspn(text, ":@");
    const char *name = arena_copy(c->arena, text, length);
    const json_t *version;
    const char *path;

    if (is_path(kind, text))
        return text;
    if (text[length] == ':')
        return arena_printf(c->arena, "%s/%s/versions/%s", kind, name, text + length + 1);
    if (text[length] == '\0')
        return arena_printf(c->arena, "%s/%s/versions/%lld", kind, name,
                            (long long)newest_ready(c, kind, name));
    path = path_of(c, "/v1/projects/{project}/{}/{}/versions/{}", kind, name, text + length, NULL);
    version = api(c, "GET", path, NULL);
    return arena_printf(c->arena, "%s/%s/versions/%lld", kind, name,
                        (long long)json_integer_value(json_object_get(version, "number")));
}

static json_t *tags_of(const struct cli *c)
{
    json_t *tags = NULL;

    for (size_t i = 0; i < c->args.options_count; i++) {
        const char *value = c->args.options[i].value;
        size_t length = strcspn(value, ":");

        if (strcmp(c->args.options[i].name, "--tag") != 0)
            continue;
        if (value[length] == '\0')
            die(USAGE, "usage: --tag takes KEY:VALUE");
        if (tags == NULL)
            tags = json_object();
        (void)json_object_setn_new(tags, value, length, json_string(value + length + 1));
    }
    return tags;
}

static struct reply *asset_put(const struct cli *c, const char *name, json_t *body)
{
    struct call call = {.method = "PUT",
                        .path =
                            path_of(c, "/v1/projects/{project}/{}/{}", asset_kind(c), name, NULL),
                        .json = body,
                        .headers = {"If-None-Match: *"}};

    return http_call(c, &call);
}

int run_asset_create(struct cli *c)
{
    json_t *body = keep(c, json_pack("{s:s*, s:o*}", "description", option(c, "--description"),
                                     "tags", tags_of(c)));
    const struct reply *r = asset_put(c, c->args.values[0], body);

    reply_expect(c, r);
    print_object(c, reply_json(c, r));
    return DONE;
}

/* Somebody else may make it between the look and the making: both are welcome. */
static void asset_ensure(const struct cli *c, const char *name)
{
    const char *path = path_of(c, "/v1/projects/{project}/{}/{}", asset_kind(c), name, NULL);
    const struct reply *r = http_call(c, &(struct call){.method = "GET", .path = path});

    if (r->problem == NULL && r->status == 404)
        r = asset_put(c, name, keep(c, json_object()));
    if (r->problem == NULL && (r->status == 412 || r->status == 409))
        return;
    reply_expect(c, r);
}

void print_schema(const struct cli *c, const json_t *columns)
{
    print_array(c, NULL, columns,
                "COLUMN=name,TYPE=type,MISSING=missing>,DISTINCT=distinct>,MIN=min>,MAX=max>,"
                "MEAN=mean>");
}

void print_version(const struct cli *c, const json_t *version)
{
    const json_t *manifest = json_object_get(version, "manifest");
    json_t *brief;

    if (printed(c, version))
        return;
    brief = keep(c, json_copy((json_t *)version));
    (void)json_object_del(brief, "manifest");
    print_object(c, brief);
    print_array(c, "\nfiles", json_object_get(manifest, "files"),
                "PATH=path,SIZE=size>,SHA256=sha256");
    if (json_object_get(manifest, "rows") != NULL)
        say(c, "\nschema of %lld rows",
            (long long)json_integer_value(json_object_get(manifest, "rows")));
    print_schema(c, json_object_get(manifest, "columns"));
    for (const char *const *at = (const char *const[]){"signature", "metrics", NULL}; *at; at++) {
        const json_t *part = json_object_get(manifest, *at);

        if (json_object_size(part) > 0) {
            say(c, "\n%s", *at);
            print_object(c, part);
        }
    }
}

int run_asset_show(struct cli *c)
{
    if (c->args.count > 1) {
        print_version(
            c, api(c, "GET", version_path(c, c->args.values[0], c->args.values[1], ""), NULL));
        return DONE;
    }
    print_object(
        c, api(c, "GET", path_of(c, "/v1/projects/{project}/{}/{1}", asset_kind(c), NULL), NULL));
    return DONE;
}

/* What the file is called inside the version. */
static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

/* --name, or what the first file is called without its extension. */
static const char *upload_name(const struct cli *c)
{
    const char *base = base_name(c->args.values[0]);
    const char *name = option(c, "--name");

    if (name == NULL)
        name = arena_copy(c->arena, base, strcspn(base, "."));
    if (!name_valid(name))
        die(USAGE, "usage: \"%s\" cannot be a name here; give --name NAME", name);
    return name;
}

/* A version with that body and the files from the first argument that is one. */
static int send_version(struct cli *c, const char *name, json_t *body, size_t first)
{
    const char *path =
        path_of(c, "/v1/projects/{project}/{}/{}/versions", asset_kind(c), name, NULL);
    const struct reply *r;
    const json_t *version;
    const char *number;

    asset_ensure(c, name);
    version = api(c, "POST", path, body);
    number = arena_printf(c->arena, "%lld",
                          (long long)json_integer_value(json_object_get(version, "number")));
    for (size_t i = first; i < c->args.count; i++)
        transfer_send(c, version_path(c, name, number, ""), c->args.values[i],
                      base_name(c->args.values[i]));
    r = http_call(c, &(struct call){.method = "POST",
                                    .path = version_path(c, name, number, "/finalize"),
                                    .json = keep(c, json_object()),
                                    .patient = true});
    /* A version that the service will not take as it is would only be in the way. */
    if (r->problem == NULL && r->status >= 400 && r->status < 500)
        (void)http_call(
            c, &(struct call){.method = "DELETE", .path = version_path(c, name, number, "")});
    reply_expect(c, r);
    print_version(c, reply_json(c, r));
    return DONE;
}

int run_asset_upload(struct cli *c)
{
    return send_version(c, upload_name(c),
                        keep(c, json_pack("{s:s*}", "description", option(c, "--description"))), 0);
}

/* What has a manifest, and files or none. */
int run_asset_register(struct cli *c)
{
    const char *path = option(c, "--manifest");
    json_error_t wrong;
    json_t *manifest;

    if (path == NULL)
        die(USAGE, "usage: --manifest FILE is needed: what the %s is, as JSON", asset_kind(c));
    manifest = json_load_file(path, JSON_REJECT_DUPLICATES, &wrong);
    if (manifest == NULL)
        die(FAILED, "%s is not JSON: %s (line %d)", path, wrong.text, wrong.line);
    return send_version(c, c->args.values[0],
                        keep(c, json_pack("{s:s*, s:o}", "description", option(c, "--description"),
                                          "manifest", manifest)),
                        1);
}

static void fetch_all(const struct cli *c, const char *version, const json_t *files,
                      const char *folder)
{
    const json_t *file;
    size_t i;

    json_array_foreach(files, i, file)
    {
        const char *path = json_string_value(json_object_get(file, "path"));

        /* The service's word on where to write is not taken: it stays inside the folder. */
        if (path == NULL || !path_valid(path))
            die(FAILED, "the service names a file that cannot be written here");
        transfer_fetch(c, version, path, arena_printf(c->arena, "%s/%s", folder, path));
    }
}

int run_asset_download(struct cli *c)
{
    const char *name = c->args.values[0];
    const char *version = version_path(c, name, c->args.values[1], "");
    const char *output = option(c, "--output");
    const char *path = c->args.count > 2 ? c->args.values[2] : NULL;
    const json_t *files;

    if (path != NULL) {
        transfer_fetch(c, version, path, output != NULL ? output : base_name(path));
        return DONE;
    }
    files =
        json_object_get(api_list(c, arena_printf(c->arena, "%s/files", version), 100000), "value");
    if (output == NULL)
        output = arena_printf(c->arena, "%s-%s", name, c->args.values[1]);
    fetch_all(c, version, files, output);
    return DONE;
}

int run_asset_delete(struct cli *c)
{
    const char *path = path_of(c, "/v1/projects/{project}/{}/{1}", asset_kind(c), NULL);

    if (c->args.count > 1)
        path = version_path(c, c->args.values[0], c->args.values[1], "");
    (void)api(c, "DELETE", path, NULL);
    say(c, "%s %s%s%s is deleted", asset_kind(c), c->args.values[0],
        c->args.count > 1 ? " version " : "", c->args.count > 1 ? c->args.values[1] : "");
    return DONE;
}
