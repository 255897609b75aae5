/* SPDX-License-Identifier: Apache-2.0 */
#include "service/localca.h"

#include "core/log.h"
#include "core/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CA_DAYS = 3650, SERVER_DAYS = 397, RENEW_DAYS = 30, NAMES_MAX = 4096 };

/* A certificate and its key; either may be NULL. */
struct pair_of_files {
    X509 *cert;
    EVP_PKEY *key;
};

static void pair_drop(struct pair_of_files *p)
{
    X509_free(p->cert);
    EVP_PKEY_free(p->key);
    *p = (struct pair_of_files){0};
}

/* Both, and of each other; or neither. */
static bool pair_load(struct pair_of_files *p, const char *cert_path, const char *key_path)
{
    FILE *cert = fopen(cert_path, "re");
    FILE *key = fopen(key_path, "re");

    if (cert != NULL)
        p->cert = PEM_read_X509(cert, NULL, NULL, NULL);
    if (key != NULL)
        p->key = PEM_read_PrivateKey(key, NULL, NULL, NULL);
    if (cert != NULL)
        (void)fclose(cert);
    if (key != NULL)
        (void)fclose(key);
    if (p->cert != NULL && p->key != NULL && X509_check_private_key(p->cert, p->key) == 1)
        return true;
    pair_drop(p);
    return false;
}

static bool write_pem(FILE *file, const struct pair_of_files *p, bool key)
{
    bool written = key ? PEM_write_PKCS8PrivateKey(file, p->key, NULL, NULL, 0, NULL, NULL) == 1
                       : PEM_write_X509(file, p->cert) == 1;

    return written && fflush(file) == 0 && fsync(fileno(file)) == 0;
}

/* Whole or not at all: a new file takes the old one's name. */
static enum err pair_store(const struct pair_of_files *p, const char *path, bool key)
{
    char fresh[LOCALCA_PATH + 8];
    FILE *file = NULL;
    enum err e = ERR_STORAGE;
    int fd;

    (void)snprintf(fresh, sizeof(fresh), "%s.new", path);
    (void)unlink(fresh);
    fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, key ? 0600 : 0644);
    if (fd >= 0)
        file = fdopen(fd, "w");
    if (file != NULL && write_pem(file, p, key) && rename(fresh, path) == 0)
        e = OK;
    if (e != OK) {
        log_world("%s cannot be written: %s", path, strerrordesc_np(errno));
        (void)unlink(fresh);
    }
    if (file != NULL)
        (void)fclose(file);
    else if (fd >= 0)
        (void)close(fd);
    return e;
}

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;
    bool added;

    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    added = extension != NULL && X509_add_ext(cert, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added;
}

static bool set_serial(X509 *cert)
{
    unsigned char bytes[16];
    BIGNUM *number;
    bool set;

    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return false;
    bytes[0] &= 0x7f; /* RFC 5280 §4.1.2.2: positive */
    number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    set = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL;
    BN_free(number);
    return set;
}

static bool set_name(X509 *cert, const char *name)
{
    X509_NAME *subject = X509_get_subject_name(cert);

    return X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8,
                                      (const unsigned char *)"Chancery", -1, -1, 0) == 1 &&
           X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1,
                                      -1, 0) == 1;
}

/* A fresh key and an unsigned certificate; the validity begins an hour ago for clocks that lag. */
static bool pair_begin(struct pair_of_files *p, const char *name, int days)
{
    p->key = EVP_EC_gen("P-256");
    p->cert = X509_new();
    return p->key != NULL && p->cert != NULL && X509_set_version(p->cert, X509_VERSION_3) == 1 &&
           set_serial(p->cert) && set_name(p->cert, name) &&
           X509_gmtime_adj(X509_getm_notBefore(p->cert), -3600) != NULL &&
           X509_time_adj_ex(X509_getm_notAfter(p->cert), days, 0, NULL) != NULL &&
           X509_set_pubkey(p->cert, p->key) == 1;
}

static bool make_ca(struct pair_of_files *ca, const char *host)
{
    char name[65];

    /* X.520 ends a common name after 64 characters. */
    (void)snprintf(name, sizeof(name), "Chancery local CA of %.40s", host);
    return pair_begin(ca, name, CA_DAYS) &&
           X509_set_issuer_name(ca->cert, X509_get_subject_name(ca->cert)) == 1 &&
           add_extension(ca->cert, ca->cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
           add_extension(ca->cert, ca->cert, NID_key_usage, "critical,keyCertSign,cRLSign") &&
           add_extension(ca->cert, ca->cert, NID_subject_key_identifier, "hash") &&
           X509_sign(ca->cert, ca->key, EVP_sha256()) > 0;
}

static bool make_server(struct pair_of_files *server, const struct pair_of_files *ca,
                        const char *names)
{
    return pair_begin(server, "chanceryd", SERVER_DAYS) &&
           X509_set_issuer_name(server->cert, X509_get_subject_name(ca->cert)) == 1 &&
           add_extension(server->cert, ca->cert, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(server->cert, ca->cert, NID_key_usage, "critical,digitalSignature") &&
           add_extension(server->cert, ca->cert, NID_ext_key_usage, "serverAuth") &&
           add_extension(server->cert, ca->cert, NID_subject_key_identifier, "hash") &&
           add_extension(server->cert, ca->cert, NID_authority_key_identifier, "keyid") &&
           add_extension(server->cert, ca->cert, NID_subject_alt_name, names) &&
           X509_sign(server->cert, ca->key, EVP_sha256()) > 0;
}

static bool is_address(const char *host)
{
    unsigned char address[16];

    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

/* A comma or a colon would begin another name in OpenSSL's notation. */
static bool host_valid(const char *host)
{
    return is_address(host) ||
           (host[0] != '\0' && strlen(host) <= 253 &&
            strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.*") ==
                strlen(host));
}

/* Is the entry one of the list? */
static bool is_listed(const struct text *names, const char *entry)
{
    size_t length = strlen(entry);

    for (const char *at = names->data; at != NULL && *at != '\0'; at += at[0] == ',') {
        if (strncmp(at, entry, length) == 0 && (at[length] == ',' || at[length] == '\0'))
            return true;
        at += strcspn(at, ",");
    }
    return false;
}

static void add_host(struct text *names, const char *host)
{
    char entry[260];

    if (!host_valid(host)) {
        log_ours("\"%s\" is no host name or address; the certificate is made without it", host);
        return;
    }
    (void)snprintf(entry, sizeof(entry), "%s:%s", is_address(host) ? "IP" : "DNS", host);
    if (!is_listed(names, entry))
        text_printf(names, "%s%s", names->length > 0 ? "," : "", entry);
}

static void list_names(struct text *names, const char *host, const char *extra)
{
    char *copy = extra == NULL ? NULL : strdup(extra);
    char *rest = NULL;

    add_host(names, "localhost");
    add_host(names, "127.0.0.1");
    add_host(names, "::1");
    if (host[0] != '\0')
        add_host(names, host);
    if (copy != NULL)
        for (char *h = strtok_r(copy, ", ", &rest); h != NULL; h = strtok_r(NULL, ", ", &rest))
            add_host(names, h);
    free(copy);
}

static bool same_names(X509 *cert, X509 *issuer, const char *names)
{
    X509 *like = X509_new();
    bool same = false;

    if (like != NULL && add_extension(like, issuer, NID_subject_alt_name, names)) {
        int at = X509_get_ext_by_NID(cert, NID_subject_alt_name, -1);
        X509_EXTENSION *wanted = X509_get_ext(like, 0);

        same = at >= 0 && ASN1_OCTET_STRING_cmp(X509_EXTENSION_get_data(X509_get_ext(cert, at)),
                                                X509_EXTENSION_get_data(wanted)) == 0;
    }
    X509_free(like);
    return same;
}

/* Days of validity left, below zero when over. */
static int days_left(const X509 *cert)
{
    int days = 0;
    int seconds = 0;

    if (ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(cert)) != 1)
        return -1;
    return seconds < 0 ? -1 : days;
}

static enum err ensure_ca(struct pair_of_files *ca, const struct localca *paths,
                          const char *ca_key_path, const char *host)
{
    if (pair_load(ca, paths->ca, ca_key_path)) {
        if (days_left(ca->cert) >= SERVER_DAYS)
            return OK;
        log_ours("the certificate authority %s is about to end and is made anew; clients must be "
                 "given the new one",
                 paths->ca);
        pair_drop(ca);
    }
    if (!make_ca(ca, host)) {
        log_ours("OpenSSL made no certificate authority");
        return ERR_INTERNAL;
    }
    if (pair_store(ca, ca_key_path, true) != OK || pair_store(ca, paths->ca, false) != OK)
        return ERR_STORAGE;
    log_info("made the local certificate authority %s", paths->ca);
    return OK;
}

static enum err ensure_server(const struct pair_of_files *ca, const struct localca *paths,
                              const char *names)
{
    struct pair_of_files server = {0};
    enum err e = OK;

    if (pair_load(&server, paths->cert, paths->key) && days_left(server.cert) >= RENEW_DAYS &&
        X509_verify(server.cert, ca->key) == 1 && same_names(server.cert, ca->cert, names))
        goto out;
    pair_drop(&server);
    if (!make_server(&server, ca, names)) {
        log_ours("OpenSSL made no certificate for %s", names);
        e = ERR_INTERNAL;
        goto out;
    }
    if (pair_store(&server, paths->key, true) != OK ||
        pair_store(&server, paths->cert, false) != OK)
        e = ERR_STORAGE;
    else
        log_info("made a server certificate for %s, %d days", names, SERVER_DAYS);
out:
    pair_drop(&server);
    return e;
}

static bool name_paths(const char *dir, struct localca *out, char ca_key[LOCALCA_PATH])
{
    return snprintf(out->ca, LOCALCA_PATH, "%s/tls/ca.pem", dir) < LOCALCA_PATH &&
           snprintf(ca_key, LOCALCA_PATH, "%s/tls/ca.key", dir) < LOCALCA_PATH &&
           snprintf(out->cert, LOCALCA_PATH, "%s/tls/server.pem", dir) < LOCALCA_PATH &&
           snprintf(out->key, LOCALCA_PATH, "%s/tls/server.key", dir) < LOCALCA_PATH;
}

enum err localca_ensure(const char *dir, const char *extra_hosts, struct localca *out)
{
    struct pair_of_files ca = {0};
    struct text names = text_new(NAMES_MAX);
    char ca_key[LOCALCA_PATH];
    char tls_dir[LOCALCA_PATH];
    char host[254] = "";
    enum err e = ERR_INVALID;

    if (!name_paths(dir, out, ca_key)) {
        log_ours("the path %s is too long", dir);
        goto out;
    }
    (void)snprintf(tls_dir, sizeof(tls_dir), "%s/tls", dir);
    if (mkdir(tls_dir, 0755) != 0 && errno != EEXIST) {
        log_world("%s cannot be made: %s", tls_dir, strerrordesc_np(errno));
        e = ERR_STORAGE;
        goto out;
    }
    (void)gethostname(host, sizeof(host) - 1);
    list_names(&names, host, extra_hosts);
    e = names.failed ? ERR_INVALID : ensure_ca(&ca, out, ca_key, host);
    if (e == OK)
        e = ensure_server(&ca, out, names.data);
out:
    pair_drop(&ca);
    text_free(&names);
    return e;
}
