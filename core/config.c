/* SPDX-License-Identifier: Apache-2.0 */
#include "core/config.h"

#include "core/text.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_SIZE = 4096, NAME_SIZE = 64 };

enum type { TYPE_INT, TYPE_BOOL, TYPE_TEXT, TYPE_PATH, TYPE_CHOICE, TYPE_SECRET };

static const struct line {
    const char *name;
    const char *fallback;
    const char *unit;
    const char *help;
    int64_t min;
    int64_t max;
    size_t offset;
    enum type type;
    bool reloadable;
} lines[SETTINGS] = {
#define SETTING(id, kind, preset, of, least, most, reload, about)                                  \
    {.name = #id,                                                                                  \
     .type = TYPE_##kind,                                                                          \
     .fallback = (preset),                                                                         \
     .unit = (of),                                                                                 \
     .min = (least),                                                                               \
     .max = (most),                                                                                \
     .reloadable = (reload),                                                                       \
     .help = (about),                                                                              \
     .offset = offsetof(struct config, id)},
#include "core/config.def"
#undef SETTING
};

static const char *const sources[] = {"default", "file", "environment", "flag"};

/* Where a value stands, for the error that names it. */
struct place {
    enum config_source source;
    const char *file;
    unsigned line;
};

static void *member(struct config *c, const struct line *line)
{
    return (char *)c + line->offset;
}

static const char *show(const struct config *c, const struct line *line, char number[32])
{
    const void *at = (const char *)c + line->offset;

    if (line->type == TYPE_INT) {
        (void)snprintf(number, 32, "%lld", (long long)*(const int64_t *)at);
        return number;
    }
    if (line->type == TYPE_BOOL)
        return *(const bool *)at ? "true" : "false";
    return *(const char *const *)at;
}

/* '-' and '_' are the same in a flag's name. NULL for no such setting. */
static const struct line *find(const char *name, size_t length)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        size_t n = 0;

        if (strlen(lines[i].name) != length)
            continue;
        while (n < length && (name[n] == '-' ? '_' : name[n]) == lines[i].name[n])
            n++;
        if (n == length)
            return &lines[i];
    }
    return NULL;
}

static bool parse_int(const char *value, int64_t *out)
{
    bool negative = value[0] == '-';
    uint64_t magnitude;

    if (!uint_parse(value + (negative ? 1 : 0), INT64_MAX, &magnitude))
        return false;
    *out = negative ? -(int64_t)magnitude : (int64_t)magnitude;
    return true;
}

static bool is_choice(const char *value, const char *choices)
{
    size_t length = strlen(value);

    if (length == 0 || strchr(value, '|') != NULL)
        return false;
    for (const char *c = choices; c != NULL; c = strchr(c, '|')) {
        c += *c == '|' ? 1 : 0;
        if (strncmp(c, value, length) == 0 && (c[length] == '|' || c[length] == '\0'))
            return true;
    }
    return false;
}

static bool is_text(const char *value, const struct line *line)
{
    size_t length = strlen(value);

    for (size_t i = 0; i < length; i++)
        if (iscntrl((unsigned char)value[i]))
            return false;
    return (int64_t)length >= line->min && (int64_t)length <= line->max;
}

/* What the setting takes, as words. */
static const char *bounds(struct arena *a, const struct line *line)
{
    if (line->type == TYPE_INT)
        return arena_printf(a, "a whole number from %lld to %lld (%s)", (long long)line->min,
                            (long long)line->max, line->unit);
    if (line->type == TYPE_BOOL)
        return "true or false";
    if (line->type == TYPE_CHOICE)
        return arena_printf(a, "one of %s", line->unit);
    return arena_printf(a, "%lld to %lld bytes without control characters (%s)",
                        (long long)line->min, (long long)line->max, line->unit);
}

static const char *origin(struct arena *a, const struct line *line, const struct place *place)
{
    if (place->source == CONFIG_FILE)
        return arena_printf(a, "%s line %u", place->file, place->line);
    if (place->source == CONFIG_ENVIRONMENT)
        return arena_printf(a, "the environment (CHANCERY_%s)", line->name);
    return place->source == CONFIG_FLAG ? "the command line" : "the default";
}

static enum err refuse(struct config *c, const struct line *line, const char *value,
                       const struct place *place, const char **why)
{
    const char *shown = line->type == TYPE_SECRET ? "(hidden)" : value;

    *why = arena_printf(c->arena, "setting %s: \"%.200s\" from %s is not %s", line->name, shown,
                        origin(c->arena, line, place), bounds(c->arena, line));
    return ERR_INVALID;
}

static enum err assign(struct config *c, const struct line *line, const char *value,
                       const struct place *place, const char **why)
{
    int64_t number = 0;
    bool truth = strcmp(value, "true") == 0;
    bool fine;

    if (line->type == TYPE_INT)
        fine = parse_int(value, &number) && number >= line->min && number <= line->max;
    else if (line->type == TYPE_BOOL)
        fine = truth || strcmp(value, "false") == 0;
    else if (line->type == TYPE_CHOICE)
        fine = is_choice(value, line->unit);
    else
        fine = is_text(value, line);
    if (!fine)
        return refuse(c, line, value, place, why);

    if (line->type == TYPE_INT)
        *(int64_t *)member(c, line) = number;
    else if (line->type == TYPE_BOOL)
        *(bool *)member(c, line) = truth;
    else
        *(const char **)member(c, line) = arena_text(c->arena, value);
    c->source[line - lines] = place->source;
    return OK;
}

static char *trim(char *text)
{
    size_t length;

    while (isspace((unsigned char)*text))
        text++;
    length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        text[--length] = '\0';
    return text;
}

static enum err take_line(struct config *c, char *text, const struct place *place, const char **why)
{
    const struct line *line;
    char *equals;
    char *name;

    text = trim(text);
    if (*text == '\0' || *text == '#')
        return OK;
    equals = strchr(text, '=');
    if (equals == NULL) {
        *why = arena_printf(c->arena, "%s line %u: not of the form name = value", place->file,
                            place->line);
        return ERR_INVALID;
    }
    *equals = '\0';
    name = trim(text);
    line = find(name, strlen(name));
    if (line == NULL) {
        *why = arena_printf(c->arena, "%s line %u: there is no setting \"%.60s\"", place->file,
                            place->line, name);
        return ERR_INVALID;
    }
    return assign(c, line, trim(equals + 1), place, why);
}

static enum err take_file(struct config *c, const char *path, const char **why)
{
    struct place place = {.source = CONFIG_FILE, .file = path};
    char text[LINE_SIZE];
    enum err e = OK;
    FILE *file = fopen(path, "re");

    if (file == NULL) {
        *why =
            arena_printf(c->arena, "--config %s cannot be read: %s", path, strerrordesc_np(errno));
        return ERR_INVALID;
    }
    while (e == OK && fgets(text, sizeof(text), file) != NULL) {
        place.line++;
        if (strchr(text, '\n') == NULL && !feof(file)) {
            *why = arena_printf(c->arena, "%s line %u is longer than %d bytes", path, place.line,
                                LINE_SIZE - 2);
            e = ERR_INVALID;
        } else {
            e = take_line(c, text, &place, why);
        }
    }
    if (e == OK && ferror(file)) {
        *why = arena_printf(c->arena, "--config %s cannot be read to its end", path);
        e = ERR_INVALID;
    }
    (void)fclose(file);
    return e;
}

/* The setting of CHANCERY_NAME=value; NULL for other names, which may be anybody's. */
static const struct line *variable(const char *text, const char **value)
{
    static const char prefix[] = "CHANCERY_";
    const char *name = text + sizeof(prefix) - 1;
    const char *equals = strchr(text, '=');
    char lower[NAME_SIZE] = "";

    if (strncmp(text, prefix, sizeof(prefix) - 1) != 0 || equals == NULL ||
        equals - name >= NAME_SIZE)
        return NULL;
    for (ptrdiff_t i = 0; i < equals - name; i++)
        lower[i] = (char)tolower((unsigned char)name[i]);
    *value = equals + 1;
    return find(lower, strlen(lower));
}

static enum err take_environment(struct config *c, char *const *environment, const char **why)
{
    const struct place place = {.source = CONFIG_ENVIRONMENT};
    enum err e = OK;

    for (; e == OK && *environment != NULL; environment++) {
        const char *value;
        const struct line *line = variable(*environment, &value);

        e = line == NULL ? OK : assign(c, line, value, &place, why);
    }
    return e;
}

static bool is_listed(const char *name, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count && list[i] != NULL; i++)
        if (strcmp(name, list[i]) == 0)
            return true;
    return false;
}

static enum err take_operand(struct config *c, const char *argument, const char **why)
{
    if (c->operands_count == CONFIG_OPERANDS_MAX) {
        *why = arena_printf(c->arena, "more than %d arguments", CONFIG_OPERANDS_MAX);
        return ERR_INVALID;
    }
    c->operands[c->operands_count++] = argument;
    return OK;
}

/* The value of the flag at **args, which may be the next argument. NULL for none. */
static const char *flag_value(char *const **args)
{
    const char *equals = strchr(**args, '=');

    if (equals != NULL)
        return equals + 1;
    if ((*args)[1] == NULL)
        return NULL;
    return *++*args;
}

/* One argument: *config gets the value of --config, which only the first pass looks at. */
static enum err take_argument(struct config *c, char *const **args, bool apply, const char **config,
                              const char **why)
{
    static const struct place place = {.source = CONFIG_FLAG};
    const char *flag = **args;
    size_t length = strcspn(flag + 2, "=");
    const struct line *line = find(flag + 2, length);
    bool is_config = length == 6 && strncmp(flag + 2, "config", 6) == 0;
    const char *value;

    if (line == NULL && !is_config) {
        *why = arena_printf(c->arena, "there is no flag %.60s; see chanceryd help", flag);
        return ERR_INVALID;
    }
    value = flag_value(args);
    if (value == NULL) {
        *why = arena_printf(c->arena, "%.60s needs a value", flag);
        return ERR_INVALID;
    }
    if (is_config) {
        *config = value;
        return OK;
    }
    return apply ? assign(c, line, value, &place, why) : OK;
}

static enum err take_arguments(struct config *c, char *const *args, const char *const *switches,
                               bool apply, const char **config, const char **why)
{
    bool flags = true;
    enum err e = OK;

    c->operands_count = 0;
    for (; e == OK && *args != NULL; args++) {
        if (flags && strcmp(*args, "--") == 0)
            flags = false;
        else if (!flags || strncmp(*args, "--", 2) != 0 || is_listed(*args, switches, SIZE_MAX))
            e = take_operand(c, *args, why);
        else
            e = take_argument(c, &args, apply, config, why);
    }
    return e;
}

enum err config_load(struct config *c, char *const *args, char *const *environment,
                     const char *const *switches, const char **why)
{
    const struct place place = {.source = CONFIG_DEFAULT};
    const char *file = NULL;
    enum err e = OK;

    memset(c, 0, sizeof(*c));
    c->arena = arena_new();
    for (size_t i = 0; e == OK && i < SETTINGS; i++)
        e = assign(c, &lines[i], lines[i].fallback, &place, why);
    if (e == OK)
        e = take_arguments(c, args, switches, false, &file, why);
    if (e == OK && file != NULL)
        e = take_file(c, file, why);
    if (e == OK)
        e = take_environment(c, environment, why);
    if (e == OK)
        e = take_arguments(c, args, switches, true, &file, why);
    if (e == OK && (c->tls_cert[0] == '\0') != (c->tls_key[0] == '\0')) {
        *why = "settings tls_cert and tls_key: one is set without the other";
        e = ERR_INVALID;
    }
    return e;
}

static void hide(char *value)
{
    memset(value, '*', strlen(value));
}

static bool is_secret(const struct line *line)
{
    return line != NULL && line->type == TYPE_SECRET;
}

void config_hide(char *const *args, char *const *environment)
{
    for (; *args != NULL; args++) {
        size_t length = strncmp(*args, "--", 2) == 0 ? strcspn(*args + 2, "=") : 0;

        if (length == 0 || !is_secret(find(*args + 2, length)))
            continue;
        if ((*args)[2 + length] == '=')
            hide(*args + 3 + length);
        else if (args[1] != NULL)
            hide(*++args);
    }
    for (; *environment != NULL; environment++) {
        const char *value;

        if (is_secret(variable(*environment, &value)))
            hide(*environment + (value - *environment));
    }
}

void config_free(struct config *c)
{
    arena_free(c->arena);
    memset(c, 0, sizeof(*c));
}

bool config_switch(const struct config *c, const char *name)
{
    return is_listed(name, c->operands, c->operands_count);
}

void config_print(const struct config *c, FILE *out)
{
    char number[32];

    (void)fprintf(out, "%-28s %-24s %-12s %s\n", "SETTING", "VALUE", "FROM", "MEANING");
    for (size_t i = 0; i < SETTINGS; i++) {
        const char *value = show(c, &lines[i], number);

        if (lines[i].type == TYPE_SECRET && value[0] != '\0')
            value = "(hidden)";
        (void)fprintf(out, "%-28s %-24s %-12s %s [%s%s]\n", lines[i].name,
                      value[0] == '\0' ? "-" : value, sources[c->source[i]], lines[i].help,
                      lines[i].unit, lines[i].reloadable ? "; SIGHUP applies" : "");
    }
}

const char *config_fixed_change(const struct config *old, const struct config *new)
{
    char before[32];
    char after[32];

    for (size_t i = 0; i < SETTINGS; i++)
        if (!lines[i].reloadable &&
            strcmp(show(old, &lines[i], before), show(new, &lines[i], after)) != 0)
            return lines[i].name;
    return NULL;
}
