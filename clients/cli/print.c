/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/print.h"

#include "clients/cli/progress.h"
#include "clients/cli/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUTPUT_MAX = 256 << 20, KEYS_MAX = 12, STEP = 2, DEEPEST = 8 };

void print_text(struct text *t)
{
    if (t->failed)
        die(FAILED, "the answer is too long to print");
    if (t->length > 0)
        (void)fwrite(t->data, 1, t->length, stdout);
    text_free(t);
}

void print_json(const json_t *json)
{
    if (json == NULL)
        return;
    (void)json_dumpf(json, stdout, JSON_INDENT(2));
    (void)putchar('\n');
}

static void vline(FILE *out, const char *format, va_list args)
    __attribute__((format(printf, 2, 0), nonnull));

static void vline(FILE *out, const char *format, va_list args)
{
    progress_end();
    (void)vfprintf(out, format, args); /* NOLINT(clang-analyzer-valist.Uninitialized) */
    (void)fputc('\n', out);
    (void)fflush(out);
}

void say(const struct cli *c, const char *format, ...)
{
    va_list args;

    if (c->json || c->quiet)
        return;
    va_start(args, format);
    vline(stdout, format, args);
    va_end(args);
}

void note(const struct cli *c, const char *format, ...)
{
    va_list args;

    if (c->quiet)
        return;
    va_start(args, format);
    vline(stderr, format, args);
    va_end(args);
}

char *size_text(struct arena *a, json_int_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double size = (double)bytes;
    size_t unit = 0;

    for (; size >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++)
        size /= 1024;
    return arena_printf(a, unit == 0 ? "%.0f %s" : "%.1f %s", size, units[unit]);
}

/* A list of objects has the columns of its first. */
static void array_table(struct arena *a, const json_t *array, int indent, struct text *out)
{
    struct text columns = text_new(4096);
    struct text lines = text_new(OUTPUT_MAX);
    const json_t *value;
    const char *key;
    struct table *t;
    size_t i = 0;

    json_object_foreach(json_array_get(array, 0), key, value) if (i++ < KEYS_MAX)
        text_printf(&columns, "%s%s=%s", i > 1 ? "," : "", key, key);
    t = table_new(a, columns.data == NULL || columns.failed ? "" : columns.data);
    json_array_foreach(array, i, value) table_add(t, value);
    table_write(t, &lines, false);
    for (const char *at = lines.data; at != NULL && *at != '\0';) {
        size_t length = strcspn(at, "\n");

        text_printf(out, "%*s%.*s\n", indent, "", (int)length, at);
        at += length + (at[length] == '\n' ? 1 : 0);
    }
    text_free(&columns);
    text_free(&lines);
}

static bool is_tabular(const json_t *value)
{
    return json_is_array(value) && json_is_object(json_array_get(value, 0));
}

static bool is_block(const json_t *value, int indent)
{
    bool deep = indent >= DEEPEST * STEP;

    return !deep && (is_tabular(value) || (json_is_object(value) && json_object_size(value) > 0));
}

void object_text(struct arena *a, const json_t *object, int indent, struct text *out)
{
    const json_t *value;
    const char *key;
    size_t width = 0;

    json_object_foreach((json_t *)object, key,
                        value) if (!is_block(value, indent) && text_width(key) > width) width =
        text_width(key);
    json_object_foreach((json_t *)object, key, value)
    {
        const char *name = clean_text(a, key);

        text_printf(out, "%*s%s", indent, "", name);
        if (!is_block(value, indent)) {
            text_printf(out, "%*s%s\n", (int)(width - text_width(name)) + STEP, "",
                        cell_text(a, value));
            continue;
        }
        text_puts(out, "\n");
        if (json_is_array(value))
            array_table(a, value, indent + STEP, out);
        else
            object_text(a, value, indent + STEP, out);
    }
}

static const char *handle_of(const json_t *object)
{
    static const char *const names[] = {"id", "number", "name", "alias", "path"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (json_object_get(object, names[i]) != NULL)
            return names[i];
    return "id";
}

static void print_handle(const struct cli *c, const json_t *object)
{
    (void)puts(cell_text(c->arena, json_object_get(object, handle_of(object))));
}

bool printed(const struct cli *c, const json_t *object)
{
    if (c->json)
        print_json(object);
    else if (c->quiet && object != NULL)
        print_handle(c, object);
    return c->json || c->quiet;
}

void print_object(const struct cli *c, const json_t *object)
{
    struct text out = text_new(OUTPUT_MAX);

    if (printed(c, object))
        return;
    object_text(c->arena, object, 0, &out);
    print_text(&out);
}

void print_array(const struct cli *c, const char *heading, const json_t *array, const char *columns)
{
    struct text out = text_new(OUTPUT_MAX);
    struct table *t = table_new(c->arena, columns);
    const json_t *item;
    size_t i;

    if (json_array_size(array) == 0)
        return;
    if (heading != NULL)
        text_printf(&out, "%s\n", heading);
    json_array_foreach(array, i, item) table_add(t, item);
    table_write(t, &out, colour_wanted());
    print_text(&out);
}

void print_list(const struct cli *c, const json_t *list, const char *columns)
{
    const json_t *values = json_object_get(list, "value");
    const json_t *item;
    size_t i;

    if (c->json) {
        print_json(list);
        return;
    }
    if (!c->quiet) {
        print_array(c, NULL, values, columns);
        return;
    }
    json_array_foreach(values, i, item) print_handle(c, item);
}
