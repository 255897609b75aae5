/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/pickle.h"

#include "core/text.h"

#include <stdlib.h>
#include <string.h>

enum { MEMO = 4096 };

/* What follows an opcode. */
enum argument {
    UNKNOWN, /* no opcode */
    NOTHING,
    FIXED1,
    FIXED2,
    FIXED4,
    FIXED8,
    LINE,
    LINES, /* two */
    LENGTH1,
    LENGTH4,
    LENGTH8
};

struct opcode {
    const char *flag; /* its name when it can run code or name what does; else NULL */
    enum argument argument;
};

static const struct opcode opcodes[256] = {
    ['('] = {NULL, NOTHING},    ['.'] = {NULL, NOTHING},         ['0'] = {NULL, NOTHING},
    ['1'] = {NULL, NOTHING},    ['2'] = {NULL, NOTHING},         ['F'] = {NULL, LINE},
    ['I'] = {NULL, LINE},       ['J'] = {NULL, FIXED4},          ['K'] = {NULL, FIXED1},
    ['L'] = {NULL, LINE},       ['M'] = {NULL, FIXED2},          ['N'] = {NULL, NOTHING},
    ['P'] = {"PERSID", LINE},   ['Q'] = {"BINPERSID", NOTHING},  ['R'] = {"REDUCE", NOTHING},
    ['S'] = {NULL, LINE},       ['T'] = {NULL, LENGTH4},         ['U'] = {NULL, LENGTH1},
    ['V'] = {NULL, LINE},       ['X'] = {NULL, LENGTH4},         ['a'] = {NULL, NOTHING},
    ['b'] = {"BUILD", NOTHING}, ['c'] = {"GLOBAL", LINES},       ['d'] = {NULL, NOTHING},
    ['}'] = {NULL, NOTHING},    ['e'] = {NULL, NOTHING},         ['g'] = {NULL, LINE},
    ['h'] = {NULL, FIXED1},     ['i'] = {"INST", LINES},         ['j'] = {NULL, FIXED4},
    ['l'] = {NULL, NOTHING},    [']'] = {NULL, NOTHING},         ['o'] = {"OBJ", NOTHING},
    ['p'] = {NULL, LINE},       ['q'] = {NULL, FIXED1},          ['r'] = {NULL, FIXED4},
    ['s'] = {NULL, NOTHING},    ['t'] = {NULL, NOTHING},         [')'] = {NULL, NOTHING},
    ['u'] = {NULL, NOTHING},    ['B'] = {NULL, LENGTH4},         ['C'] = {NULL, LENGTH1},
    ['G'] = {NULL, FIXED8},     [0x80] = {NULL, FIXED1},         [0x81] = {"NEWOBJ", NOTHING},
    [0x82] = {"EXT1", FIXED1},  [0x83] = {"EXT2", FIXED2},       [0x84] = {"EXT4", FIXED4},
    [0x85] = {NULL, NOTHING},   [0x86] = {NULL, NOTHING},        [0x87] = {NULL, NOTHING},
    [0x88] = {NULL, NOTHING},   [0x89] = {NULL, NOTHING},        [0x8a] = {NULL, LENGTH1},
    [0x8b] = {NULL, LENGTH4},   [0x8c] = {NULL, LENGTH1},        [0x8d] = {NULL, LENGTH8},
    [0x8e] = {NULL, LENGTH8},   [0x8f] = {NULL, NOTHING},        [0x90] = {NULL, NOTHING},
    [0x91] = {NULL, NOTHING},   [0x92] = {"NEWOBJ_EX", NOTHING}, [0x93] = {"STACK_GLOBAL", NOTHING},
    [0x94] = {NULL, NOTHING},   [0x95] = {NULL, FIXED8},         [0x96] = {NULL, LENGTH8},
    [0x97] = {NULL, NOTHING},   [0x98] = {NULL, NOTHING},
};

/* A text, or what is not known to be one: "". */
typedef char name_text[PICKLE_NAME_MAX + 1];

struct walk {
    struct pickle_stream *in;
    json_t *opcodes; /* name: true, so that each is listed once */
    json_t *globals;
    int protocol;
    unsigned memoized;
    name_text last;   /* the newest value */
    name_text before; /* and the one below it */
    name_text lines[2];
    uint64_t number;
    name_text memo[MEMO];
};

static void push(struct walk *w, const char *text)
{
    memcpy(w->before, w->last, sizeof(w->before));
    (void)snprintf(w->last, sizeof(w->last), "%s", text);
}

static bool read_number(struct walk *w, unsigned bytes, uint64_t *out)
{
    *out = 0;
    for (unsigned i = 0; i < bytes; i++) {
        int c = pickle_next(w->in);

        if (c < 0)
            return false;
        *out |= (uint64_t)(unsigned)c << (8 * i);
    }
    return true;
}

/* Bytes that would break a JSON text are shown as '?'. */
static char shown(int c)
{
    return (char)(c < ' ' || c > '~' ? '?' : c);
}

static bool read_line(struct walk *w, char *out)
{
    size_t length = 0;

    for (;;) {
        int c = pickle_next(w->in);

        if (c < 0)
            return false;
        if (c == '\n')
            break;
        if (length < PICKLE_NAME_MAX)
            out[length++] = shown(c);
    }
    out[length] = '\0';
    return true;
}

static bool read_counted(struct walk *w, uint64_t length)
{
    uint64_t kept = length < PICKLE_NAME_MAX ? length : PICKLE_NAME_MAX;

    for (uint64_t i = 0; i < kept; i++) {
        int c = pickle_next(w->in);

        if (c < 0)
            return false;
        w->lines[0][i] = shown(c);
    }
    w->lines[0][kept] = '\0';
    return pickle_skip(w->in, length - kept);
}

static bool read_argument(struct walk *w, enum argument kind)
{
    static const unsigned sizes[] = {
        [FIXED1] = 1,  [FIXED2] = 2,  [FIXED4] = 4,  [FIXED8] = 8,
        [LENGTH1] = 1, [LENGTH4] = 4, [LENGTH8] = 8,
    };

    switch (kind) {
    case NOTHING:
        return true;
    case LINE:
        return read_line(w, w->lines[0]);
    case LINES:
        return read_line(w, w->lines[0]) && read_line(w, w->lines[1]);
    case FIXED1:
    case FIXED2:
    case FIXED4:
    case FIXED8:
        return read_number(w, sizes[kind], &w->number);
    case LENGTH1:
    case LENGTH4:
    case LENGTH8:
        return read_number(w, sizes[kind], &w->number) && read_counted(w, w->number);
    default:
        return false;
    }
}

static void import(struct walk *w, const char *module, const char *name)
{
    char text[2 * PICKLE_NAME_MAX + 4];

    (void)snprintf(text, sizeof(text), "%s %s", *module == '\0' ? "?" : module,
                   *name == '\0' ? "?" : name);
    for (size_t i = 0; i < json_array_size(w->globals); i++)
        if (strcmp(json_string_value(json_array_get(w->globals, i)), text) == 0)
            return;
    if (json_array_size(w->globals) < PICKLE_GLOBALS_MAX)
        json_array_append_new(w->globals, json_string(text));
}

static void remember(struct walk *w, uint64_t at)
{
    if (at < MEMO)
        memcpy(w->memo[at], w->last, sizeof(w->last));
    w->memoized++;
}

static uint64_t line_number(const struct walk *w)
{
    uint64_t number = MEMO;

    return uint_parse(w->lines[0], MEMO, &number) ? number : MEMO;
}

/* A text in quotes, as STRING writes one. */
static const char *unquoted(struct walk *w)
{
    size_t length = strlen(w->lines[0]);

    if (length < 2 || (w->lines[0][0] != '\'' && w->lines[0][0] != '"'))
        return w->lines[0];
    w->lines[0][length - 1] = '\0';
    return w->lines[0] + 1;
}

/* What the opcode does to the two newest values, as far as texts go. */
static void apply(struct walk *w, int op)
{
    switch (op) {
    case 'X':
    case 'T':
    case 'U':
    case 'V':
    case 0x8c:
    case 0x8d:
        push(w, w->lines[0]);
        break;
    case 'S':
        push(w, unquoted(w));
        break;
    case 'h':
    case 'j':
        push(w, w->number < MEMO ? w->memo[w->number] : "");
        break;
    case 'g':
        push(w, line_number(w) < MEMO ? w->memo[line_number(w)] : "");
        break;
    case 'q':
    case 'r':
        remember(w, w->number);
        break;
    case 'p':
        remember(w, line_number(w));
        break;
    case 0x94:
        remember(w, w->memoized);
        break;
    case 'c':
    case 'i':
        import(w, w->lines[0], w->lines[1]);
        push(w, "");
        break;
    case 0x93:
        import(w, w->before, w->last);
        push(w, "");
        break;
    case 0x80:
        w->protocol = (int)w->number;
        break;
    case 0x95:
        break;
    default:
        push(w, "");
    }
}

static bool run(struct walk *w)
{
    for (unsigned step = 0; step < PICKLE_STEPS_MAX; step++) {
        int op = pickle_next(w->in);

        if (op < 0 || !read_argument(w, opcodes[op].argument))
            return false;
        if (opcodes[op].flag != NULL)
            json_object_set_new(w->opcodes, opcodes[op].flag, json_true());
        if (op == '.')
            return true;
        apply(w, op);
    }
    return false;
}

json_t *pickle_walk(struct pickle_stream *s, bool *ended)
{
    struct walk *w = calloc(1, sizeof(*w));
    json_t *names = json_array();
    json_t *out;
    const char *name;
    json_t *value;

    *ended = false;
    if (w == NULL)
        return json_pack("{s:i, s:o, s:[], s:b}", "protocol", 0, "opcodes", names, "globals",
                         "complete", 0);
    w->in = s;
    w->opcodes = json_object();
    w->globals = json_array();
    *ended = run(w);
    json_object_foreach(w->opcodes, name, value) json_array_append_new(names, json_string(name));
    out = json_pack("{s:i, s:o, s:o, s:b}", "protocol", w->protocol, "opcodes", names, "globals",
                    w->globals, "complete", *ended);
    json_decref(w->opcodes);
    free(w);
    return out;
}
