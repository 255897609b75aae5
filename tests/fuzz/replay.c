/* SPDX-License-Identifier: Apache-2.0 */
/* A fuzz target without a fuzzer: its corpus, then mutations of it for a few seconds from a fixed
 * seed, in one process. What `make test` runs; `make fuzz` uses libFuzzer.
 * usage: TARGET CORPUS_DIRECTORY SECONDS */
#include "core/text.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUTS_MAX = 512, SIZE_MAX_ = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct input {
    uint8_t *data;
    size_t size;
} inputs[INPUTS_MAX];
static size_t count;
static uint64_t state = 20261121;

static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void load(const char *directory, const char *name)
{
    char path[4096];
    FILE *file;
    struct input *in = &inputs[count];

    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    file = fopen(path, "rb");
    if (file == NULL)
        return;
    in->data = malloc(SIZE_MAX_);
    in->size = in->data == NULL ? 0 : fread(in->data, 1, SIZE_MAX_, file);
    count++;
    (void)fclose(file);
}

/* Flip, overwrite, cut, repeat or splice. */
static size_t mutate(uint8_t *out, const struct input *from)
{
    size_t size = from->size;

    memcpy(out, from->data, size);
    for (uint64_t n = 1 + next() % 4; n > 0 && size > 0; n--) {
        size_t at = next() % size;
        const struct input *other = &inputs[next() % count];

        switch (next() % 5) {
        case 0:
            out[at] ^= (uint8_t)(1U << (next() % 8));
            break;
        case 1:
            out[at] = (uint8_t)next();
            break;
        case 2:
            size = at;
            break;
        case 3:
            if (size + (size - at) <= SIZE_MAX_) {
                memmove(out + size, out + at, size - at);
                size += size - at;
            }
            break;
        default:
            if (other->size > 0 && at + other->size <= SIZE_MAX_) {
                memcpy(out + at, other->data, other->size);
                size = at + other->size;
            }
        }
    }
    return size;
}

int main(int argc, char **argv)
{
    DIR *directory = argc == 3 ? opendir(argv[1]) : NULL;
    const char *name = strrchr(argv[0], '/') == NULL ? argv[0] : strrchr(argv[0], '/') + 1;
    static uint8_t bytes[2 * SIZE_MAX_];
    struct dirent *entry;
    uint64_t runs = 0;
    uint64_t seconds = 0;
    int64_t end;

    if (directory == NULL || !uint_parse(argv[2], 3600, &seconds)) {
        (void)fprintf(stderr, "usage: %s CORPUS SECONDS\n", name);
        return 2;
    }
    while ((entry = readdir(directory)) != NULL && count < INPUTS_MAX)
        if (entry->d_type == DT_REG)
            load(argv[1], entry->d_name);
    (void)closedir(directory);
    for (size_t i = 0; i < count; i++)
        (void)LLVMFuzzerTestOneInput(inputs[i].data, inputs[i].size);
    end = time_steady_ms() + (int64_t)seconds * 1000;
    for (; count > 0 && time_steady_ms() < end; runs++)
        (void)LLVMFuzzerTestOneInput(bytes, mutate(bytes, &inputs[next() % count]));
    for (size_t i = 0; i < count; i++)
        free(inputs[i].data);
    (void)printf("%s %s (%zu inputs, %llu mutations)\n", count > 0 ? "ok" : "not ok", name, count,
                 (unsigned long long)runs);
    return count > 0 ? 0 : 1;
}
