/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CONFIG_H
#define CORE_CONFIG_H

#include "core/arena.h"
#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum setting {
#define SETTING(name, ...) SETTING_##name,
#include "core/config.def"
#undef SETTING
    SETTINGS
};

/* Later sources override earlier ones. */
enum config_source { CONFIG_DEFAULT, CONFIG_FILE, CONFIG_ENVIRONMENT, CONFIG_FLAG };

enum { CONFIG_OPERANDS_MAX = 8 };

/* The settings by name, each in its line's type: INT int64_t, BOOL bool, the rest const char *,
 * never NULL. Texts live as long as the arena, which config_free ends. */
#define CONFIG_C_INT    int64_t
#define CONFIG_C_BOOL   bool
#define CONFIG_C_TEXT   const char *
#define CONFIG_C_PATH   const char *
#define CONFIG_C_CHOICE const char *
#define CONFIG_C_SECRET const char *
struct config {
#define SETTING(name, type, ...) CONFIG_C_##type name;
#include "core/config.def"
#undef SETTING
    enum config_source source[SETTINGS];
    struct arena *arena;
    const char *operands[CONFIG_OPERANDS_MAX]; /* arguments that set nothing, in order; borrowed */
    size_t operands_count;
};

/* Defaults < file named by --config < environment < flags "--name value" and "--name=value".
 * switches lists, up to NULL, the flags without a value that a command knows ("--with-key"); they
 * become operands, as does everything after "--". environment is a NULL-terminated list of
 * NAME=value. On ERR_INVALID why says which setting is wrong, where it was set and what is allowed;
 * config_free is needed either way. */
MUST_CHECK enum err config_load(struct config *c, char *const *args, char *const *environment,
                                const char *const *switches, const char **why);
void config_free(struct config *c);
/* Overwrite the values of secret settings where other processes could read them: in the arguments
 * and the environment that the process was started with. config_load wants copies afterwards. */
void config_hide(char *const *args, char *const *environment);

bool config_switch(const struct config *c, const char *name);

/* One line a setting: name, value, where it came from, what it is for. Secrets are not shown. */
void config_print(const struct config *c, FILE *out);

/* The first setting that differs and is not reloadable; NULL when SIGHUP can apply them all. */
const char *config_fixed_change(const struct config *old, const struct config *new);

#endif
