/* SPDX-License-Identifier: Apache-2.0 */
#include "core/cbor.h"

#include "core/text.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

enum { LONGEST = 64 };

static size_t bytes_of(const char *hex, uint8_t out[LONGEST])
{
    size_t length = strlen(hex) / 2;

    return length <= LONGEST && hex_decode(hex, out, length) ? length : 0;
}

/* Is it one item from end to end? */
static bool is_item(const char *hex, uint8_t out[LONGEST], struct cbor *item)
{
    size_t length = bytes_of(hex, out);

    return cbor_first(out, length, item) == OK && item->length == length;
}

/* RFC 8949 appendix A. */
static void integers_are_the_published_ones(void)
{
    static const struct {
        const char *hex;
        int64_t value;
    } vectors[] = {{"00", 0},
                   {"17", 23},
                   {"1818", 24},
                   {"1903e8", 1000},
                   {"1a000f4240", 1000000},
                   {"1b000000e8d4a51000", 1000000000000},
                   {"20", -1},
                   {"3863", -100},
                   {"3903e7", -1000}};
    uint8_t bytes[LONGEST];
    struct cbor item;
    int64_t value;

    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
        CHECK(is_item(vectors[i].hex, bytes, &item) && cbor_int(item, &value) &&
              value == vectors[i].value);
    CHECK(is_item("1bffffffffffffffff", bytes, &item) && !cbor_int(item, &value));
}

/* The same values written longer, cut off, or in another form than canonical. */
static void other_forms_are_refused(void)
{
    static const char *const bad[] = {"",
                                      "18",
                                      "1817",
                                      "190017",
                                      "1900ff",
                                      "1a0000ffff",
                                      "1b00000000ffffffff",
                                      "1c",
                                      "1f",
                                      "42ff",
                                      "61ff",
                                      "5f42010243030405ff",
                                      "9f01ff",
                                      "bf6161ff",
                                      "8201",
                                      "a101",
                                      "a2616200616101",
                                      "a2616100616101",
                                      "a26161006162",
                                      "a1810102",
                                      "c000",
                                      "f97e00",
                                      "fa47c35000",
                                      "f7",
                                      "f820",
                                      "ff",
                                      "8181818181",
                                      "9bffffffffffffffff",
                                      "bbffffffffffffffff"};
    uint8_t bytes[LONGEST];
    struct cbor item;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK(!is_item(bad[i], bytes, &item));
}

static void nothing_is_deeper_than_four(void)
{
    uint8_t bytes[LONGEST];
    struct cbor item;

    CHECK(is_item("8181818100", bytes, &item));
    CHECK(is_item("a100a100a100a10000", bytes, &item));
    CHECK(!is_item("818181818100", bytes, &item));
    CHECK(!is_item("a100a100a100a100a10000", bytes, &item));
}

static void maps_answer_by_key(void)
{
    uint8_t bytes[LONGEST];
    struct cbor map;
    struct cbor value;
    const uint8_t *data;
    size_t length;
    int64_t number;

    /* {1: 2, -1: h'0102', "fmt": "none", "list": [true, null]} */
    CHECK(is_item("a401022042010263666d74646e6f6e65646c69737482f5f6", bytes, &map));
    CHECK(cbor_type(map) == CBOR_MAP && cbor_count(map) == 4);
    CHECK(cbor_under_int(map, 1, &value) && cbor_int(value, &number) && number == 2);
    CHECK(cbor_under_int(map, -1, &value) && cbor_bytes(value, &data, &length) && length == 2);
    CHECK(data[0] == 1 && data[1] == 2);
    CHECK(cbor_under_text(map, "fmt", &value) && cbor_text_is(value, "none"));
    CHECK(!cbor_text_is(value, "non") && !cbor_text_is(value, "none1"));
    CHECK(cbor_under_text(map, "list", &value) && cbor_count(value) == 2);
    CHECK(!cbor_under_int(map, 2, &value) && !cbor_under_text(map, "fm", &value));
    CHECK(!cbor_under_int(value, 1, &map));
}

static void an_item_ends_where_it_ends(void)
{
    struct cbor item;

    CHECK(cbor_first("\x82\x01\x02\x03", 4, &item) == OK && item.length == 3);
}

int main(void)
{
    RUN(integers_are_the_published_ones);
    RUN(other_forms_are_refused);
    RUN(nothing_is_deeper_than_four);
    RUN(maps_answer_by_key);
    RUN(an_item_ends_where_it_ends);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
