/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/sealed/ustar.h"

#include <stdio.h>
#include <string.h>

/* Offsets and lengths of POSIX.1-1988 §10.1.1. */
enum { AT_MODE = 100, AT_UID = 108, AT_GID = 116, AT_SIZE = 124, AT_TIME = 136, AT_SUM = 148 };
enum { AT_TYPE = 156, AT_MAGIC = 257, AT_VERSION = 263, SIZE_LENGTH = 12 };
#define OCTAL_MAX ((int64_t)1 << 33)

static void put_text(uint8_t *out, const char *text)
{
    for (size_t i = 0; text[i] != '\0'; i++)
        out[i] = (uint8_t)text[i];
}

static void put_size(uint8_t *out, int64_t size)
{
    char octal[SIZE_LENGTH + 1];

    if (size < OCTAL_MAX) {
        (void)snprintf(octal, sizeof(octal), "%011llo", (unsigned long long)size);
        put_text(out, octal);
        return;
    }
    for (int i = SIZE_LENGTH - 1; i >= 0; i--, size >>= 8)
        out[i] = (uint8_t)(size & 0xff);
    out[0] = 0x80;
}

static int64_t get_size(const uint8_t *in)
{
    uint64_t size = 0;

    for (int i = in[0] == 0x80 ? 1 : 0; i < SIZE_LENGTH - (in[0] == 0x80 ? 0 : 1); i++)
        size = in[0] == 0x80 ? size << 8 | in[i] : size << 3 | (uint64_t)(in[i] & 7);
    return size > (uint64_t)USTAR_SIZE_MAX ? -1 : (int64_t)size;
}

bool ustar_write(const char *name, int64_t size, uint8_t out[USTAR_BLOCK])
{
    size_t length = strlen(name);
    unsigned sum = 0;
    char octal[8];

    if (length == 0 || length > USTAR_NAME_MAX || size < 0 || size > USTAR_SIZE_MAX)
        return false;
    memset(out, 0, USTAR_BLOCK);
    put_text(out, name);
    put_text(out + AT_MODE, "0000644");
    put_text(out + AT_UID, "0000000");
    put_text(out + AT_GID, "0000000");
    put_size(out + AT_SIZE, size);
    put_text(out + AT_TIME, "00000000000");
    memset(out + AT_SUM, ' ', 8);
    out[AT_TYPE] = '0';
    put_text(out + AT_MAGIC, "ustar");
    put_text(out + AT_VERSION, "00");
    for (size_t i = 0; i < USTAR_BLOCK; i++)
        sum += out[i];
    (void)snprintf(octal, sizeof(octal), "%06o", sum);
    put_text(out + AT_SUM, octal);
    out[AT_SUM + 6] = '\0';
    return true;
}

bool ustar_read(const uint8_t block[USTAR_BLOCK], char name[USTAR_NAME_MAX + 1], int64_t *size)
{
    uint8_t again[USTAR_BLOCK];

    memcpy(name, block, USTAR_NAME_MAX);
    name[USTAR_NAME_MAX] = '\0';
    *size = get_size(block + AT_SIZE);
    return ustar_write(name, *size, again) && memcmp(again, block, USTAR_BLOCK) == 0;
}

size_t ustar_padding(int64_t size)
{
    return (size_t)(-size & (USTAR_BLOCK - 1));
}

bool ustar_zero(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}
