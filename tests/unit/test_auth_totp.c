/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/sign_in/totp.h"

#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t secret[TOTP_SECRET] = "12345678901234567890";

/* RFC 6238 appendix B, SHA-1, the last six of its eight digits. */
static void codes_are_the_published_ones(void)
{
    static const struct {
        int64_t time;
        const char *code;
    } vectors[] = {{59, "287082"},         {1111111109, "081804"}, {1111111111, "050471"},
                   {1234567890, "005924"}, {2000000000, "279037"}, {20000000000, "353130"}};
    char digits[TOTP_DIGITS + 1];

    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        totp_code(secret, TOTP_SECRET, vectors[i].time / TOTP_STEP_S, digits);
        CHECK(strcmp(digits, vectors[i].code) == 0);
    }
}

static void a_code_is_good_for_its_step_and_the_neighbours_once(void)
{
    CHECK(totp_match(secret, TOTP_SECRET, 59, 0, "287082") == 1);
    CHECK(totp_match(secret, TOTP_SECRET, 89, 0, "287082") == 1);
    CHECK(totp_match(secret, TOTP_SECRET, 90, 0, "287082") == -1);
    CHECK(totp_match(secret, TOTP_SECRET, 59, 1, "287082") == -1);
    CHECK(totp_match(secret, TOTP_SECRET, 59, 0, "28708") == -1);
    CHECK(totp_match(secret, TOTP_SECRET, 59, 0, "2870820") == -1);
}

int main(void)
{
    RUN(codes_are_the_published_ones);
    RUN(a_code_is_good_for_its_step_and_the_neighbours_once);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
