/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/canonical.h"

#include "tests/unit/test.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* json's canonical text is wanted. */
static bool canonical_is(const char *json, const char *wanted)
{
    json_t *value = json_loads(json, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    struct text t = text_new(10000);
    bool same = value != NULL && canonical_json(value, &t) == OK && strcmp(t.data, wanted) == 0;

    if (!same)
        (void)printf("%s gives %s\n", json, t.data == NULL ? "nothing" : t.data);
    text_free(&t);
    json_decref(value);
    return same;
}

/* RFC 8785 §3.2.2 and §3.2.3. */
static void the_rfcs_texts(void)
{
    CHECK(canonical_is("{\"numbers\": [333333333.33333329, 1E30, 4.50, 2e-3, "
                       "0.000000000000000000000000001],"
                       "\"string\": \"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\","
                       "\"literals\": [null, true, false]}",
                       "{\"literals\":[null,true,false],"
                       "\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],"
                       "\"string\":\"\xe2\x82\xac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"));
    CHECK(canonical_is(
        "{\"\\u20ac\": \"Euro Sign\", \"\\r\": \"Carriage Return\","
        "\"\\ufb33\": \"Hebrew Letter Dalet With Dagesh\", \"1\": \"One\","
        "\"\\ud83d\\ude00\": \"Emoji: Grinning Face\", \"\\u0080\": \"Control\","
        "\"\\u00f6\": \"Latin Small Letter O With Diaeresis\"}",
        "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xc2\x80\":\"Control\","
        "\"\xc3\xb6\":\"Latin Small Letter O With Diaeresis\",\"\xe2\x82\xac\":\"Euro Sign\","
        "\"\xf0\x9f\x98\x80\":\"Emoji: Grinning Face\","
        "\"\xef\xac\xb3\":\"Hebrew Letter Dalet With Dagesh\"}"));
}

/* RFC 8785 appendix B. */
static void the_rfcs_numbers(void)
{
    static const struct {
        uint64_t bits;
        const char *text;
    } numbers[] = {
        {0x0000000000000000, "0"},
        {0x8000000000000000, "0"},
        {0x0000000000000001, "5e-324"},
        {0x8000000000000001, "-5e-324"},
        {0x7fefffffffffffff, "1.7976931348623157e+308"},
        {0xffefffffffffffff, "-1.7976931348623157e+308"},
        {0x4340000000000000, "9007199254740992"},
        {0xc340000000000000, "-9007199254740992"},
        {0x4430000000000000, "295147905179352830000"},
        {0x44b52d02c7e14af5, "9.999999999999997e+22"},
        {0x44b52d02c7e14af6, "1e+23"},
        {0x44b52d02c7e14af7, "1.0000000000000001e+23"},
        {0x444b1ae4d6e2ef4e, "999999999999999700000"},
        {0x444b1ae4d6e2ef4f, "999999999999999900000"},
        {0x444b1ae4d6e2ef50, "1e+21"},
        {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
        {0x3eb0c6f7a0b5ed8d, "0.000001"},
        {0x41b3de4355555553, "333333333.3333332"},
        {0x41b3de4355555554, "333333333.33333325"},
        {0x41b3de4355555555, "333333333.3333333"},
        {0x41b3de4355555556, "333333333.3333334"},
        {0x41b3de4355555557, "333333333.33333343"},
        {0xbecbf647612f3696, "-0.0000033333333333333333"},
        {0x43143ff3c1cb0959, "1424953923781206.2"},
        {0x3d30000000000000, "5.684341886080802e-14"}, /* 2^-44: the nearest 16 digits do not do */
    };

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct text t = text_new(100);
        double x;
        json_t *value;
        bool same;

        memcpy(&x, &numbers[i].bits, sizeof(x));
        value = json_real(x);
        same = canonical_json(value, &t) == OK && strcmp(t.data, numbers[i].text) == 0;
        if (!same)
            (void)printf("%s, not %s\n", t.data, numbers[i].text);
        json_decref(value);
        text_free(&t);
        CHECK(same);
    }
}

static void every_real_reads_back(void)
{
    srand(8785);
    for (int i = 0; i < 20000; i++) {
        struct text t = text_new(100);
        uint64_t bits = (uint64_t)rand() << 42 ^ (uint64_t)rand() << 21 ^ (uint64_t)rand();
        json_t *value;
        bool same;
        double x;

        if (i % 4 == 0)
            bits &= UINT64_C(0xFFF0000000000000); /* powers of two */
        memcpy(&x, &bits, sizeof(x));
        if (!isfinite(x))
            continue;
        value = json_real(x);
        same = canonical_json(value, &t) == OK && strtod(t.data, NULL) == x;
        json_decref(value);
        text_free(&t);
        CHECK(same);
    }
}

static void the_rest_of_json(void)
{
    CHECK(canonical_is("{}", "{}") && canonical_is("[]", "[]") && canonical_is("\"\"", "\"\""));
    CHECK(canonical_is("[9223372036854775807, -9223372036854775808, 0, -0]",
                       "[9223372036854775807,-9223372036854775808,0,0]"));
    CHECK(canonical_is("[1.0, -0.0, 100.0, 0.1, 1e20, 123456789.125]",
                       "[1,0,100,0.1,100000000000000000000,123456789.125]"));
    CHECK(canonical_is("{\"b\":{\"d\":1,\"c\":[{\"z\":1,\"y\":2}]},\"a\":null,\"ab\":1,\"\":2}",
                       "{\"\":2,\"a\":null,\"ab\":1,\"b\":{\"c\":[{\"y\":2,\"z\":1}],\"d\":1}}"));
    CHECK(canonical_is("\"\\u0000\\b\\t\\n\\u000b\\f\\r\\u001f\\u007f\"",
                       "\"\\u0000\\b\\t\\n\\u000b\\f\\r\\u001f\x7f\""));
    CHECK(canonical_is("{\"\\uffff\":1,\"\\ud800\\udc00\":2,\"\\ud7ff\":3,\"\\ue000\":4}",
                       "{\"\xed\x9f\xbf\":3,\"\xf0\x90\x80\x80\":2,\"\xee\x80\x80\":4,"
                       "\"\xef\xbf\xbf\":1}"));
}

static void depth_and_length_are_bounded(void)
{
    struct text t = text_new(10000), small = text_new(5);
    json_t *nest = json_array();

    for (int i = 2; i < CANONICAL_DEPTH; i++) {
        json_t *outer = json_array();

        CHECK(json_array_append_new(outer, nest) == 0);
        nest = outer;
    }
    CHECK(json_array_append_new(nest, json_true()) == 0);
    CHECK(canonical_json(nest, &t) == OK);
    nest = json_pack("[[[o]]]", nest);
    text_free(&t);
    CHECK(canonical_json(nest, &t) == ERR_INVALID);
    CHECK(canonical_json(NULL, &t) == ERR_INVALID);
    json_decref(nest);
    nest = json_string("123456");
    CHECK(canonical_json(nest, &small) == ERR_TOO_LARGE);
    json_decref(nest);
    text_free(&t);
    text_free(&small);
}

int main(void)
{
    RUN(the_rfcs_texts);
    RUN(the_rfcs_numbers);
    RUN(every_real_reads_back);
    RUN(the_rest_of_json);
    RUN(depth_and_length_are_bounded);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
