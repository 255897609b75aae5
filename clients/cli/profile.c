/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/profile.h"

#include "clients/cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *environment(const char *name)
{
    const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe): one thread */

    return value != NULL && *value != '\0' ? value : NULL;
}

static const char *config_path(const struct cli *c)
{
    const char *path = environment("CHANCERY_CONFIG");

    if (path != NULL)
        return path;
    path = environment("XDG_CONFIG_HOME");
    if (path != NULL)
        return arena_printf(c->arena, "%s/chancery/config.json", path);
    path = environment("HOME");
    if (path == NULL)
        die(USAGE, "neither HOME nor CHANCERY_CONFIG says where the profile is");
    return arena_printf(c->arena, "%s/.config/chancery/config.json", path);
}

/* {"profiles":{NAME:{…}}}; an empty object when there is no file yet. */
static json_t *config_read(const struct cli *c, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    json_error_t wrong;
    struct stat st;
    json_t *config;

    if (fd < 0 && errno != ENOENT)
        die(USAGE, "%s: %s", path, strerrordesc_np(errno));
    if (fd < 0) {
        config = json_object();
    } else {
        if (fstat(fd, &st) != 0 || (st.st_mode & 077) != 0)
            die(USAGE, "%s holds a token and can be read by others; chmod 600 it", path);
        config = json_loadfd(fd, JSON_REJECT_DUPLICATES, &wrong);
        (void)close(fd);
    }
    if (!json_is_object(config))
        die(USAGE, "%s is not a profile file: %s", path, wrong.text);
    arena_own(c->arena, config, (void (*)(void *))json_decref);
    return config;
}

static const char *pick(const struct cli *c, const char *flag, const char *variable,
                        const json_t *stored, const char *member)
{
    const char *value = flag == NULL ? NULL : option(c, flag);

    if (value != NULL && *value != '\0')
        return value;
    value = environment(variable);
    if (value != NULL)
        return value;
    return json_string_value(json_object_get(stored, member));
}

void profile_load(struct cli *c)
{
    const json_t *profiles = json_object_get(config_read(c, config_path(c)), "profiles");
    struct profile *p = &c->profile;
    const json_t *stored;

    p->name = option(c, "--profile");
    if (p->name == NULL)
        p->name = environment("CHANCERY_PROFILE");
    if (p->name == NULL)
        p->name = "default";
    stored = json_object_get(profiles, p->name);
    p->url = pick(c, "--url", "CHANCERY_URL", stored, "url");
    p->ca = pick(c, "--ca", "CHANCERY_CA", stored, "ca");
    p->tenant = pick(c, NULL, "CHANCERY_TENANT", stored, "tenant");
    p->user = pick(c, NULL, "CHANCERY_USER", stored, "user");
    p->token = pick(c, NULL, "CHANCERY_TOKEN", stored, "token");
    p->known = json_string_value(json_object_get(stored, "known"));
    p->project = pick(c, "--project", "CHANCERY_PROJECT", stored, "project");
}

/* Paths are kept whole, so that the profile works from any folder. */
static const char *whole_path(const struct cli *c, const char *path)
{
    char *whole;

    if (path == NULL)
        return NULL;
    whole = realpath(path, NULL);
    if (whole == NULL)
        die(USAGE, "%s: %s", path, strerrordesc_np(errno));
    arena_own(c->arena, whole, free);
    return whole;
}

void profile_save(const struct cli *c)
{
    const char *path = config_path(c);
    json_t *config = config_read(c, path);
    json_t *profiles = json_object_get(config, "profiles");
    const struct profile *p = &c->profile;
    json_t *one = json_pack("{s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:s*}", "url", p->url, "ca",
                            whole_path(c, p->ca), "tenant", p->tenant, "user", p->user, "token",
                            p->token, "project", p->project, "known", p->known);
    char *text;

    if (profiles == NULL) {
        profiles = json_object();
        (void)json_object_set_new(config, "profiles", profiles);
    }
    (void)json_object_set_new(profiles, p->name, one);
    text = json_dumps(config, JSON_INDENT(2));
    if (text == NULL)
        die(USAGE, "the profile cannot be written: it is not UTF-8");
    arena_own(c->arena, text, free);
    file_write(path, text, strlen(text));
}
