/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/note.h"

#include "lineage/merkle.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

/* The example of C2SP signed-note. */
static const char c2sp_vkey[] =
    "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
static const char c2sp_note[] =
    "This is an example message.\n\n"
    "\xe2\x80\x94 example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3"
    "mFXmRKuwHjG1Yu72IneyaQM=\n";

/* The example of golang.org/x/mod/sumdb/note, with its private key's seed. */
static const char go_vkey[] = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
static const char go_seed[] = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
static const char go_text[] = "If you think cryptography is the answer to your problem,\n"
                              "then you don't know what your problem is.\n";
static const char go_signature[] =
    "\xe2\x80\x94 PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdng"
    "otpRZb6KE6RyyBwJnAM=\n";
static const char enoch_signature[] =
    "\xe2\x80\x94 EnochRoot "
    "rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWL"
    "ox33WWd1RvMc+QQ=\n";

static enum note_state open_text(const char *bytes, const struct note_key *keys, size_t count)
{
    struct note n;

    return note_open(bytes, strlen(bytes), keys, count, &n);
}

static void the_specifications_example_verifies(void)
{
    struct note_key key;
    char vkey[NOTE_VKEY_SIZE];
    struct note n;

    CHECK(note_vkey_parse(c2sp_vkey, &key) == OK);
    CHECK(strcmp(key.name, "example.com/foo") == 0 && key.id == 0x530d903a);
    note_vkey(&key, vkey);
    CHECK(strcmp(vkey, c2sp_vkey) == 0);
    CHECK(note_open(c2sp_note, strlen(c2sp_note), &key, 1, &n) == NOTE_GOOD);
    CHECK(n.length == strlen("This is an example message.\n") && n.text == c2sp_note);
    CHECK(n.signatures == 1 && n.signers == 1);
}

static void signing_gives_the_published_bytes(void)
{
    struct text note = text_new(NOTE_MAX);
    uint8_t seed[1 + ED25519_KEY], public[ED25519_KEY];
    struct note_key key;
    char vkey[NOTE_VKEY_SIZE];

    CHECK(base64_decode(go_seed, strlen(go_seed), seed, sizeof(seed)) == sizeof(seed));
    CHECK(ed25519_public(seed + 1, public) == OK);
    CHECK(note_key("PeterNeumann", public, &key) == OK);
    note_vkey(&key, vkey);
    CHECK(strcmp(vkey, go_vkey) == 0);
    CHECK(note_begin(&note, go_text, strlen(go_text)) == OK);
    CHECK(note_sign(&note, &key, seed + 1) == OK);
    CHECK(strncmp(note.data, go_text, strlen(go_text)) == 0);
    CHECK(strcmp(note.data + strlen(go_text) + 1, go_signature) == 0);
    CHECK(open_text(note.data, &key, 1) == NOTE_GOOD);
    text_free(&note);
}

/* The text, an empty line and the lines, as one note. */
static char *assemble(const char *text, const char *first, const char *second)
{
    static char note[4096];

    (void)snprintf(note, sizeof(note), "%s\n%s%s", text, first, second);
    return note;
}

static void unknown_signatures_are_ignored_and_known_ones_must_hold(void)
{
    struct note_key keys[2];
    char bent[sizeof(go_signature)];

    CHECK(note_vkey_parse(go_vkey, &keys[0]) == OK && note_vkey_parse(c2sp_vkey, &keys[1]) == OK);
    CHECK(open_text(assemble(go_text, go_signature, enoch_signature), keys, 1) == NOTE_GOOD);
    CHECK(open_text(assemble(go_text, enoch_signature, go_signature), keys, 2) == NOTE_GOOD);
    CHECK(open_text(assemble(go_text, enoch_signature, ""), keys, 2) == NOTE_UNSIGNED);
    CHECK(open_text(assemble(go_text, enoch_signature, ""), keys, 0) == NOTE_UNSIGNED);
    memcpy(bent, go_signature, sizeof(bent));
    bent[40] = bent[40] == 'A' ? 'B' : 'A';
    CHECK(open_text(assemble(go_text, bent, ""), keys, 2) == NOTE_FORGED);
    CHECK(open_text(assemble(go_text, go_signature, bent), keys, 2) == NOTE_FORGED);
    CHECK(open_text(assemble(go_text, bent, enoch_signature), keys + 1, 1) == NOTE_UNSIGNED);
    CHECK(open_text(assemble("Other text.\n", go_signature, ""), keys, 2) == NOTE_FORGED);
}

static void no_changed_bit_passes(void)
{
    struct note_key key;
    char note[sizeof(c2sp_note)];

    CHECK(note_vkey_parse(c2sp_vkey, &key) == OK);
    for (size_t i = 0; i < sizeof(c2sp_note) - 1; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            memcpy(note, c2sp_note, sizeof(note));
            note[i] = (char)(note[i] ^ 1 << bit);
            CHECK(open_text(note, &key, 1) != NOTE_GOOD);
        }
        CHECK(note_open(c2sp_note, i, &key, 1, &(struct note){0}) != NOTE_GOOD);
    }
}

static void malformed_notes_are_refused(void)
{
    static const char *const bad[] = {
        "",
        "\n",
        "\n\n",
        "text\n",
        "text\n\n",
        "text",
        "text\n\n\n",
        "text\n\nno dash Uw2QOkn8\n",
        "text\n\n\xe2\x80\x94 name\n",
        "text\n\n\xe2\x80\x94 name \n",
        "text\n\n\xe2\x80\x94 name AAAA\n",
        "text\n\n\xe2\x80\x94 name AAAAAA==",
        "text\n\n\xe2\x80\x94 name AAAAAA\n",
        "text\n\n\xe2\x80\x94  AAAAAAA=\n",
        "text\n\n\xe2\x80\x94 na+me AAAAAAA=\n",
        "text\n\n\xe2\x80\x94 na\xc2\xa0me AAAAAAA=\n",
        "text\n\n\xe2\x80\x94 name AAAAAAA= \n",
        "te\txt\n\n\xe2\x80\x94 name AAAAAAA=\n",
        "te\rxt\n\n\xe2\x80\x94 name AAAAAAA=\n",
        "te\xffxt\n\n\xe2\x80\x94 name AAAAAAA=\n",
        "text\n\n\xe2\x80\x94 name AAAAAAA=\n\n",
        "text\n\n\xe2\x80\x94 name AAAAAAA=\nmore\n",
    };
    static const char null_inside[] = "te\0xt\n\n\xe2\x80\x94 name AAAAAAA=\n";
    struct note n;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK(open_text(bad[i], NULL, 0) == NOTE_MALFORMED);
    CHECK(note_open(null_inside, sizeof(null_inside) - 1, NULL, 0, &n) == NOTE_MALFORMED);
    CHECK(open_text("text\n\n\xe2\x80\x94 name AAAAAAA=\n", NULL, 0) == NOTE_UNSIGNED);
    CHECK(open_text("a\n\nb\n\n\xe2\x80\x94 name AAAAAAA=\n", NULL, 0) == NOTE_UNSIGNED);
}

static void sixteen_signatures_and_more_are_read(void)
{
    struct text note = text_new(NOTE_MAX);
    struct note_key keys[NOTE_SIGNATURES_MAX];
    struct note n;

    CHECK(note_begin(&note, "body\n\nwith a gap\n", 17) == OK);
    for (int i = 0; i < NOTE_SIGNATURES_MAX; i++) {
        uint8_t secret[ED25519_KEY], public[ED25519_KEY];

        ed25519_generate(secret, public);
        CHECK(note_key("same.name", public, &keys[i]) == OK);
        CHECK(note_sign(&note, &keys[i], secret) == OK);
    }
    CHECK(note_open(note.data, note.length, keys, NOTE_SIGNATURES_MAX, &n) == NOTE_GOOD);
    CHECK(n.signatures == NOTE_SIGNATURES_MAX && n.signers == UINT64_MAX && n.length == 17);
    text_puts(&note, "\xe2\x80\x94 name AAAAAAA=\n");
    CHECK(note_open(note.data, note.length, keys, 1, &n) == NOTE_MALFORMED);
    text_free(&note);
}

static void names_follow_the_specification(void)
{
    static const char *const good[] = {"a", "example.com/log42", "\xc3\xa9", "a@b", "a-b_c~%20"};
    static const char *const bad[] = {
        "",          " ",           "a b",  "a+b",           "a\tb",         "a\nb",
        "a\xc2\x85", "a\xc2\xa0",   "\xff", "a\xe2\x80\xa8", "\xe3\x80\x80", "\xe1\x9a\x80",
        "\x01",      "\xe2\x80\x8a"};
    char longest[NOTE_NAME_MAX + 2];

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        CHECK(note_name_valid(good[i]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK(!note_name_valid(bad[i]));
    memset(longest, 'a', sizeof(longest));
    longest[NOTE_NAME_MAX + 1] = '\0';
    CHECK(!note_name_valid(longest));
    longest[NOTE_NAME_MAX] = '\0';
    CHECK(note_name_valid(longest));
}

static void only_exact_vkeys_are_read(void)
{
    static const char *const bad[] = {
        "",
        "PeterNeumann",
        "PeterNeumann+c74f20a3",
        "PeterNeumann+c74f20a3+",
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+AhpC2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TX",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10T",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW\n",
        "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW+",
    };
    struct note_key key;
    char longest[400];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK(note_vkey_parse(bad[i], &key) == ERR_INVALID);
    memset(longest, 'a', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    CHECK(note_vkey_parse(longest, &key) == ERR_INVALID);
    longest[300] = '+';
    CHECK(note_vkey_parse(longest, &key) == ERR_INVALID);
}

static void texts_that_are_no_note_are_not_signed(void)
{
    struct text note = text_new(100);
    uint8_t secret[ED25519_KEY] = {1}, public[ED25519_KEY];
    struct note_key key;

    CHECK(ed25519_public(secret, public) == OK && note_key("k", public, &key) == OK);
    CHECK(note_sign(&note, &key, secret) == ERR_INVALID);
    CHECK(note_begin(&note, "", 0) == ERR_INVALID);
    CHECK(note_begin(&note, "no end", 6) == ERR_INVALID);
    CHECK(note_begin(&note, "tab\t\n", 5) == ERR_INVALID);
    CHECK(note_begin(&note, "\xff\n", 2) == ERR_INVALID);
    CHECK(note_begin(&note, "fine\n", 5) == OK);
    CHECK(note_sign(&note, &key, secret) == ERR_TOO_LARGE);
    text_free(&note);
}

/* The example of C2SP tlog-checkpoint. */
static void checkpoints_round_trip(void)
{
    static const char text[] = "example.com/behind-the-sofa\n20852163\n"
                               "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    struct text again = text_new(1000);
    struct checkpoint c;

    CHECK(checkpoint_parse(text, strlen(text), &c) == OK);
    CHECK(strcmp(c.origin, "example.com/behind-the-sofa") == 0 && c.size == 20852163);
    checkpoint_write(&again, &c);
    CHECK(strcmp(again.data, text) == 0);
    text_puts(&again, "an extension\n");
    CHECK(checkpoint_parse(again.data, again.length, &c) == OK);
    text_puts(&again, "\n");
    CHECK(checkpoint_parse(again.data, again.length, &c) == ERR_INVALID);
    text_free(&again);
}

#define ROOT "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="

static void other_spellings_of_checkpoints_are_refused(void)
{
    static const char *const bad[] = {
        "",
        "o\n1\n",
        "o\n1\n" ROOT,
        "\n1\n" ROOT "\n",
        "o\n\n" ROOT "\n",
        "o\n01\n" ROOT "\n",
        "o\n+1\n" ROOT "\n",
        "o\n1 \n" ROOT "\n",
        "o\n-1\n" ROOT "\n",
        "o\n0x1\n" ROOT "\n",
        "o\n4611686018427387905\n" ROOT "\n",
        "o\n99999999999999999999999\n" ROOT "\n",
        "o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n",
        "o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I\n",
        "o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jx\n",
        "o\n1\n" ROOT " \n",
        "o\n1\n" ROOT "\nextension",
        "o\n1\r\n" ROOT "\n",
    };
    struct checkpoint c;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK(checkpoint_parse(bad[i], strlen(bad[i]), &c) == ERR_INVALID);
    CHECK(checkpoint_parse("o\n0\n" ROOT "\n", strlen("o\n0\n" ROOT "\n"), &c) == OK);
}

/* Signed by a known key, but not by one that may speak for that origin. */
static void checkpoints_need_a_key_of_their_origins_name(void)
{
    uint8_t secret[ED25519_KEY] = {7}, public[ED25519_KEY];
    struct text body = text_new(1000), note = text_new(NOTE_MAX);
    struct checkpoint c = {"log.test/a", 5, {{9}}}, read;
    struct note_key keys[2];

    CHECK(ed25519_public(secret, public) == OK);
    CHECK(note_key("log.test/b", public, &keys[0]) == OK);
    CHECK(note_key("log.test/a", public, &keys[1]) == OK);
    checkpoint_write(&body, &c);
    CHECK(note_begin(&note, body.data, body.length) == OK);
    CHECK(note_sign(&note, &keys[0], secret) == OK);
    CHECK(checkpoint_open(note.data, note.length, keys, 2, &read) == NOTE_UNSIGNED);
    CHECK(note_sign(&note, &keys[1], secret) == OK);
    CHECK(checkpoint_open(note.data, note.length, keys, 2, &read) == NOTE_GOOD);
    CHECK(read.size == 5 && strcmp(read.origin, c.origin) == 0);
    CHECK(digest_equal(&read.root, &c.root));
    CHECK(checkpoint_open(note.data, note.length, keys, 1, &read) == NOTE_UNSIGNED);
    text_free(&body);
    text_free(&note);
}

int main(void)
{
    RUN(the_specifications_example_verifies);
    RUN(signing_gives_the_published_bytes);
    RUN(unknown_signatures_are_ignored_and_known_ones_must_hold);
    RUN(no_changed_bit_passes);
    RUN(malformed_notes_are_refused);
    RUN(sixteen_signatures_and_more_are_read);
    RUN(names_follow_the_specification);
    RUN(only_exact_vkeys_are_read);
    RUN(texts_that_are_no_note_are_not_signed);
    RUN(checkpoints_round_trip);
    RUN(other_spellings_of_checkpoints_are_refused);
    RUN(checkpoints_need_a_key_of_their_origins_name);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
