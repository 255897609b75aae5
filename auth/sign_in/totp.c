/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/sign_in/totp.h"

#include "core/crypto.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

enum { SHA1_SIZE = 20, COUNTER = 8, MILLION = 1000000 };

/* RFC 4226 §5.3. */
void totp_code(const uint8_t *secret, size_t length, int64_t step, char digits[TOTP_DIGITS + 1])
{
    uint8_t counter[COUNTER];
    uint8_t mac[EVP_MAX_MD_SIZE] = {0};
    unsigned size = 0;
    uint32_t number;
    unsigned at;

    for (int i = 0; i < COUNTER; i++)
        counter[i] = (uint8_t)((uint64_t)step >> (8 * (COUNTER - 1 - i)));
    (void)HMAC(EVP_sha1(), secret, (int)length, counter, COUNTER, mac, &size);
    at = mac[SHA1_SIZE - 1] & 15;
    number = (uint32_t)(mac[at] & 0x7f) << 24 | (uint32_t)mac[at + 1] << 16 |
             (uint32_t)mac[at + 2] << 8 | mac[at + 3];
    (void)snprintf(digits, TOTP_DIGITS + 1, "%06u", (unsigned)(number % MILLION));
}

int64_t totp_match(const uint8_t *secret, size_t length, int64_t now_s, int64_t last,
                   const char *code)
{
    int64_t now = now_s / TOTP_STEP_S;
    int64_t found = -1;

    if (strlen(code) != TOTP_DIGITS)
        return -1;
    for (int64_t step = now - 1; step <= now + 1; step++) {
        char digits[TOTP_DIGITS + 1];

        totp_code(secret, length, step, digits);
        if (secret_equal(digits, code, TOTP_DIGITS) && step > last)
            found = step;
    }
    return found;
}
