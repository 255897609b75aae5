/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_ERR_H
#define CORE_ERR_H

enum err {
#define ERR(name, status, slug, meaning) name,
#include "core/err.def"
#undef ERR
    ERR_COUNT
};

#define MUST_CHECK __attribute__((warn_unused_result))

/* Leave the function with any error but OK. Only for request code, where the arena owns
 * everything and there is nothing to free on the way out. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        enum err try_err_ = (call);                                                                \
        if (try_err_ != OK)                                                                        \
            return try_err_;                                                                       \
    } while (0)

unsigned err_status(enum err e);
const char *err_slug(enum err e);
const char *err_meaning(enum err e);

#endif
