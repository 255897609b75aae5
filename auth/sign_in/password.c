/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/sign_in/password.h"

#include "core/crypto.h"
#include "core/log.h"

#include <argon2.h>
#include <pthread.h>
#include <string.h>

enum {
    PASSES = 1,
    MEMORY_KIB = 46 * 1024,
    LANES = 1,
    SALT = 16,
    HASH = 32,
    PHC_MAX = 128,
    AT_ONCE = 2,
    WAITING_MAX = 16
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t room;
    unsigned running;
    unsigned waiting[2]; /* by enum password_turn */
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .room = PTHREAD_COND_INITIALIZER};

/* One place is left for whoever is known. */
static bool must_wait(enum password_turn turn)
{
    unsigned places = turn == PASSWORD_AHEAD ? AT_ONCE : AT_ONCE - 1;

    return pool.running >= places || (turn == PASSWORD_IN_TURN && pool.waiting[PASSWORD_AHEAD] > 0);
}

static bool enter(enum password_turn turn)
{
    bool admitted;

    (void)pthread_mutex_lock(&pool.lock);
    admitted = !must_wait(turn) || pool.waiting[turn] < WAITING_MAX;
    if (admitted) {
        pool.waiting[turn]++;
        while (must_wait(turn))
            (void)pthread_cond_wait(&pool.room, &pool.lock);
        pool.waiting[turn]--;
        pool.running++;
    }
    (void)pthread_mutex_unlock(&pool.lock);
    return admitted;
}

/* All who wait look: a few, and each knows best whether it is its turn. */
static void leave(void)
{
    (void)pthread_mutex_lock(&pool.lock);
    pool.running--;
    (void)pthread_cond_broadcast(&pool.room);
    (void)pthread_mutex_unlock(&pool.lock);
}

static int encode(const char *password, char phc[PHC_MAX])
{
    unsigned char salt[SALT];

    random_bytes(salt, sizeof(salt));
    return argon2id_hash_encoded(PASSES, MEMORY_KIB, LANES, password, strlen(password), salt,
                                 sizeof(salt), HASH, phc, PHC_MAX);
}

enum err password_hash(struct arena *a, const char *password, const char **phc)
{
    char text[PHC_MAX] = "";
    int code;

    if (!enter(PASSWORD_AHEAD))
        return ERR_RATE;
    code = encode(password, text);
    leave();
    if (code != ARGON2_OK) {
        log_ours("argon2: %s", argon2_error_message(code));
        return ERR_UNAVAILABLE;
    }
    *phc = arena_text(a, text);
    return OK;
}

static char nobody[PHC_MAX];
static pthread_once_t nobody_once = PTHREAD_ONCE_INIT;

/* The hash of a password that nobody has. */
static void make_nobody(void)
{
    unsigned char secret[HASH / 2];
    char password[2 * sizeof(secret) + 1];

    random_bytes(secret, sizeof(secret));
    for (size_t i = 0; i < sizeof(secret); i++) {
        password[2 * i] = (char)('a' + (secret[i] >> 4));
        password[2 * i + 1] = (char)('a' + (secret[i] & 15));
    }
    password[2 * sizeof(secret)] = '\0';
    if (encode(password, nobody) != ARGON2_OK)
        log_ours("argon2 cannot hash");
}

enum err password_check(const char *phc, const char *password, enum password_turn turn)
{
    int code;

    (void)pthread_once(&nobody_once, make_nobody);
    if (!enter(turn))
        return ERR_RATE;
    code = argon2id_verify(phc == NULL ? nobody : phc, password, strlen(password));
    leave();
    if (code == ARGON2_MEMORY_ALLOCATION_ERROR)
        return ERR_UNAVAILABLE;
    return code == ARGON2_OK && phc != NULL ? OK : ERR_CREDENTIALS;
}
