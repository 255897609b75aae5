/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { SECRET_MAX = 4096 };

/* "" when there is no line. */
static const char *line_of(const struct cli *c, FILE *in)
{
    char line[SECRET_MAX] = "";
    const char *kept;

    if (fgets(line, sizeof(line), in) != NULL)
        line[strcspn(line, "\r\n")] = '\0';
    kept = arena_text(c->arena, line);
    OPENSSL_cleanse(line, sizeof(line));
    return kept;
}

static const char *not_empty(const char *secret)
{
    if (*secret == '\0')
        die(USAGE, "usage: no secret was given");
    return secret;
}

const char *secret_line(const struct cli *c)
{
    return not_empty(line_of(c, stdin));
}

/* Signals wait until the echo is back on: a terminal left mute would be a trap. */
static const char *ask(const struct cli *c, const char *prompt)
{
    struct termios before, mute;
    sigset_t all, old;
    const char *answer;
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    FILE *tty;

    if (fd < 0 || tcgetattr(fd, &before) != 0 || (tty = fdopen(fd, "r+")) == NULL)
        die(USAGE, "usage: there is no terminal to ask at; give --password-stdin");
    mute = before;
    mute.c_lflag &= ~(tcflag_t)ECHO;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &old);
    (void)tcsetattr(fd, TCSAFLUSH, &mute);
    (void)fprintf(stderr, "%s: ", prompt);
    answer = line_of(c, tty);
    (void)tcsetattr(fd, TCSAFLUSH, &before);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    (void)fputc('\n', stderr);
    (void)fclose(tty);
    return not_empty(answer);
}

/* NULL when it has to be asked for. */
static const char *given(const struct cli *c, const char *variable)
{
    const char *value = getenv(variable); /* NOLINT(concurrency-mt-unsafe): one thread */

    if (option(c, "--password-stdin") != NULL)
        return secret_line(c);
    return value != NULL && *value != '\0' ? value : NULL;
}

const char *secret_password(const struct cli *c, const char *variable, const char *prompt)
{
    const char *secret = given(c, variable);

    return secret != NULL ? secret : ask(c, prompt);
}

const char *secret_new(const struct cli *c, const char *variable, const char *prompt)
{
    const char *secret = given(c, variable);
    const char *again;

    if (secret != NULL)
        return secret;
    secret = ask(c, prompt);
    again = ask(c, "once more");
    if (strcmp(secret, again) != 0)
        die(USAGE, "usage: the two are not the same");
    return secret;
}
