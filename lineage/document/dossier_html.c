/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/document/record.h"

#include <string.h>

static const char style[] =
    "body{font:11pt/1.45 Georgia,serif;max-width:52em;margin:2em auto;padding:0 1em;color:#111}"
    "h1{font-size:1.6em}h2{font-size:1.2em;margin-top:2em;border-bottom:1px solid #999}"
    "table{border-collapse:collapse;width:100%;margin:1em 0;font-size:.85em}"
    "caption{text-align:left;font-weight:bold;padding:.3em 0}"
    "th,td{border:1px solid #bbb;padding:.25em .5em;text-align:left;vertical-align:top;"
    "overflow-wrap:anywhere}th{background:#eee}dt{font-weight:bold}dd{margin:0 0 .5em 1.5em;"
    "white-space:pre-wrap;overflow-wrap:anywhere}"
    "@media print{body{margin:0;max-width:none}h2{break-after:avoid}tr{break-inside:avoid}"
    "thead{display:table-header-group}@page{margin:18mm}}";

static void escape(struct text *out, const char *s)
{
    for (size_t n; *s != '\0'; s += n) {
        n = strcspn(s, "&<>\"'");
        text_add(out, s, n);
        if (s[n] == '\0')
            return;
        text_printf(out, "&#%d;", s[n]);
        n++;
    }
}

static void tagged(struct text *out, const char *tag, const char *content)
{
    text_printf(out, "<%s>", tag);
    escape(out, content);
    text_printf(out, "</%s>", tag);
}

static void row(struct text *out, const char *tag, const json_t *cells)
{
    text_puts(out, "<tr>");
    for (size_t i = 0; i < json_array_size(cells); i++)
        tagged(out, tag, json_string_value(json_array_get(cells, i)));
    text_puts(out, "</tr>\n");
}

static void add_table(struct text *out, const json_t *t)
{
    const json_t *rows = json_object_get(t, "rows");

    text_puts(out, "<table>");
    tagged(out, "caption", record_text(t, "caption"));
    text_puts(out, "\n<thead>");
    row(out, "th", json_object_get(t, "columns"));
    text_puts(out, "</thead>\n<tbody>\n");
    for (size_t i = 0; i < json_array_size(rows); i++)
        row(out, "td", json_array_get(rows, i));
    text_puts(out, "</tbody></table>\n");
}

static void section(struct text *out, const json_t *s)
{
    const json_t *entries = json_object_get(s, "entries"), *tables = json_object_get(s, "tables");

    text_puts(out, "<section><h2>");
    escape(out, record_text(s, "number"));
    text_puts(out, ". ");
    escape(out, record_text(s, "title"));
    text_puts(out, "</h2>\n<dl>\n");
    for (size_t i = 0; i < json_array_size(entries); i++) {
        tagged(out, "dt", record_text(json_array_get(entries, i), "name"));
        tagged(out, "dd", record_text(json_array_get(entries, i), "value"));
        text_puts(out, "\n");
    }
    text_puts(out, "</dl>\n");
    for (size_t i = 0; i < json_array_size(tables); i++)
        add_table(out, json_array_get(tables, i));
    text_puts(out, "</section>\n");
}

void dossier_html(const json_t *dossier, struct text *out)
{
    const json_t *sections = json_object_get(dossier, "sections");

    text_puts(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                   "<meta name=\"viewport\" content=\"width=device-width\">");
    tagged(out, "title", record_text(dossier, "version"));
    text_puts(out, "<style>");
    text_puts(out, style);
    text_puts(out, "</style></head>\n<body>\n");
    tagged(out, "h1", record_text(dossier, "title"));
    text_puts(out, "\n<p>");
    escape(out, record_text(dossier, "version"));
    text_puts(out, ", ");
    escape(out, record_text(dossier, "regulation"));
    text_puts(out, "<br>SHA-256 ");
    escape(out, record_text(dossier, "digest"));
    text_puts(out, "</p>\n");
    for (size_t i = 0; i < json_array_size(sections); i++)
        section(out, json_array_get(sections, i));
    text_puts(out, "</body></html>\n");
}
