/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/scim.h"

#include <string.h>

enum { PATH_MAX_ = 500 };

enum op { OP_ADD, OP_REPLACE, OP_REMOVE };

/* attribute, attribute.sub, attribute[key eq "wanted"] or attribute[…].sub, in an object. */
struct target {
    json_t *object;
    const char *attribute;
    const char *sub;
    const char *key;
    const char *wanted;
};

static enum err bad_path(struct request *rq, const char *path)
{
    return scim_fail(rq, "invalidPath", "path: %.100s is not understood", path);
}

/* Attribute names know no case (RFC 7643 §2.1): the spelling that is there already. */
static const char *spelling(json_t *object, const char *name)
{
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value) if (strcasecmp(key, name) == 0) return key;
    return name;
}

/* urn:…:User:active is active; of an extension's schema it is in that schema's object. */
static const char *enter_schema(const char *path, json_t *resource, json_t **object,
                                struct arena *a)
{
    const char *bracket = strchr(path, '[');
    const char *colon = NULL;
    const char *schema;

    *object = resource;
    if (strncasecmp(path, "urn:", 4) != 0)
        return path;
    for (const char *p = path; *p != '\0' && p != bracket; p++)
        if (*p == ':')
            colon = p;
    schema = arena_copy(a, path, (size_t)(colon - path));
    if (strcasecmp(schema, SCIM_USER) == 0 || strcasecmp(schema, SCIM_GROUP) == 0)
        return colon + 1;
    schema = spelling(resource, schema);
    if (!json_is_object(json_object_get(resource, schema)))
        json_object_set_new(resource, schema, json_object());
    *object = json_object_get(resource, schema);
    return colon + 1;
}

/* [key eq "wanted"] */
static bool read_filter(struct arena *a, const char **at, struct target *t)
{
    const char *p = *at + 1 + strspn(*at + 1, " ");
    size_t n = strcspn(p, " ]");
    const char *end;

    t->key = arena_copy(a, p, n);
    p += n + strspn(p + n, " ");
    if (strncasecmp(p, "eq ", 3) != 0)
        return false;
    p += 3 + strspn(p + 3, " ");
    if (*p != '"')
        return false;
    end = strchr(p + 1, '"');
    if (end == NULL || memchr(p, '\\', (size_t)(end - p)) != NULL)
        return false;
    t->wanted = arena_copy(a, p + 1, (size_t)(end - p - 1));
    p = end + 1 + strspn(end + 1, " ");
    *at = p + 1;
    return *p == ']' && n > 0;
}

static enum err read_path(struct request *rq, const char *path, json_t *resource, struct target *t)
{
    const char *p = enter_schema(path, resource, &t->object, rq->arena);
    size_t n = strcspn(p, ".[");

    if (strlen(path) > PATH_MAX_ || n == 0)
        return bad_path(rq, path);
    t->attribute = spelling(t->object, arena_copy(rq->arena, p, n));
    p += n;
    if (*p == '[' && !read_filter(rq->arena, &p, t))
        return bad_path(rq, path);
    if (*p == '.' && p[1] != '\0')
        t->sub = p + 1;
    else if (*p != '\0')
        return bad_path(rq, path);
    return OK;
}

static const char *value_of(const json_t *item)
{
    const char *text =
        json_string_value(json_is_object(item) ? json_object_get(item, "value") : item);

    return text == NULL ? "" : text;
}

static bool same(const json_t *a, const json_t *b)
{
    return *value_of(a) != '\0' ? strcmp(value_of(a), value_of(b)) == 0 : json_equal(a, b);
}

static size_t find(const json_t *list, const json_t *item)
{
    const json_t *one;
    size_t i;

    json_array_foreach(list, i, one) if (same(one, item)) return i;
    return json_array_size(list);
}

static void append(json_t *list, json_t *item)
{
    if (find(list, item) == json_array_size(list))
        json_array_append(list, item);
}

static void drop(json_t *list, const json_t *item)
{
    size_t at = find(list, item);

    if (at < json_array_size(list))
        json_array_remove(list, at);
}

/* To a list is added, one or many; everything else takes the place of what was there. */
static void put(json_t *object, const char *name, enum op op, json_t *value)
{
    json_t *there = json_object_get(object, name);
    json_t *item;
    size_t i;

    if (op != OP_ADD || !json_is_array(there)) {
        json_object_set(object, name, value);
        return;
    }
    if (!json_is_array(value)) {
        append(there, value);
        return;
    }
    json_array_foreach(value, i, item) append(there, item);
}

/* Entra says which members go in value: a server that ignores it removes them all. */
static void take_away(json_t *object, const char *name, json_t *value)
{
    json_t *there = json_object_get(object, name);
    json_t *item;
    size_t i;

    if (value == NULL || json_is_null(value) || !json_is_array(there)) {
        json_object_del(object, name);
        return;
    }
    if (!json_is_array(value)) {
        drop(there, value);
        return;
    }
    json_array_foreach(value, i, item) drop(there, item);
}

static bool fits(json_t *item, const struct target *t)
{
    const char *text = json_string_value(json_object_get(item, spelling(item, t->key)));

    return text != NULL && strcmp(text, t->wanted) == 0;
}

/* To the item at i, or to none. */
static void apply_item(const struct target *t, enum op op, json_t *list, size_t i, json_t *value)
{
    json_t *item = json_array_get(list, i);

    if (op == OP_REMOVE && t->sub == NULL)
        json_array_remove(list, i);
    else if (op == OP_REMOVE)
        json_object_del(item, spelling(item, t->sub));
    else if (t->sub != NULL)
        json_object_set(item, spelling(item, t->sub), value);
    else
        json_object_update(item, value);
}

/* A list's items that fit the filter; what is set for none makes one. */
static void apply_filtered(const struct target *t, enum op op, json_t *value)
{
    json_t *list = json_object_get(t->object, t->attribute);
    size_t found = 0;

    if (!json_is_array(list) && op == OP_REMOVE)
        return;
    if (!json_is_array(list)) {
        json_object_set_new(t->object, t->attribute, json_array());
        list = json_object_get(t->object, t->attribute);
    }
    for (size_t i = json_array_size(list); i-- > 0;)
        if (fits(json_array_get(list, i), t)) {
            apply_item(t, op, list, i, value);
            found++;
        }
    if (found == 0 && op != OP_REMOVE) {
        json_array_append_new(list, json_pack("{s:s}", t->key, t->wanted));
        apply_item(t, op, list, json_array_size(list) - 1, value);
    }
}

static enum err apply(struct request *rq, enum op op, const char *path, json_t *value,
                      json_t *resource)
{
    struct target t = {.sub = NULL};
    json_t *object;
    size_t length = strlen(path);

    /* An extension as a whole. */
    if (strncasecmp(path, "urn:", 4) == 0 && length > 5 &&
        strcasecmp(path + length - 5, ":User") == 0) {
        json_object_set(resource, path, value);
        return OK;
    }
    TRY(read_path(rq, path, resource, &t));
    if (t.key != NULL) {
        apply_filtered(&t, op, value);
        return OK;
    }
    object = t.object;
    if (t.sub != NULL) {
        if (!json_is_object(json_object_get(object, t.attribute)))
            json_object_set_new(object, t.attribute, json_object());
        object = json_object_get(object, t.attribute);
        t.attribute = spelling(object, t.sub);
    }
    if (op == OP_REMOVE)
        take_away(object, t.attribute, value);
    else
        put(object, t.attribute, op, value);
    return OK;
}

static enum err read_op(struct request *rq, const char *text, enum op *out)
{
    static const char *const names[] = {"add", "replace", "remove"};

    for (size_t i = 0; text != NULL && i < 3; i++)
        if (strcasecmp(names[i], text) == 0) {
            *out = (enum op)i;
            return OK;
        }
    return scim_fail(rq, "invalidSyntax", "op must be add, replace or remove");
}

static enum err apply_one(struct request *rq, json_t *operation, json_t *resource)
{
    const char *path = json_string_value(json_object_get(operation, "path"));
    json_t *value = json_object_get(operation, "value");
    const char *name;
    json_t *item;
    enum op op;

    TRY(read_op(rq, json_string_value(json_object_get(operation, "op")), &op));
    if (op != OP_REMOVE && value == NULL)
        return scim_fail(rq, "invalidValue", "value is missing");
    if (path != NULL && *path != '\0')
        return apply(rq, op, path, value, resource);
    if (op == OP_REMOVE)
        return scim_fail(rq, "noTarget", "remove needs a path");
    if (!json_is_object(value))
        return scim_fail(rq, "invalidValue", "without a path value must be an object");
    json_object_foreach(value, name, item) TRY(apply(rq, op, name, item, resource));
    return OK;
}

enum err scim_patch(struct request *rq, const json_t *body, json_t *resource)
{
    json_t *operations = json_object_get(body, spelling((json_t *)body, "Operations"));
    json_t *operation;
    size_t i;

    if (!json_is_array(operations) || json_array_size(operations) > SCIM_OPERATIONS_MAX)
        return scim_fail(rq, "invalidSyntax", "Operations must be a list of at most %d",
                         SCIM_OPERATIONS_MAX);
    json_array_foreach(operations, i, operation) TRY(apply_one(rq, operation, resource));
    return OK;
}
