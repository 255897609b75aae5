/* SPDX-License-Identifier: Apache-2.0 */
#include "service/localca.h"

#include "tests/unit/test.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/localca-XXXXXX";
static struct localca paths;

static X509 *load(const char *path)
{
    FILE *file = fopen(path, "re");
    X509 *cert = file == NULL ? NULL : PEM_read_X509(file, NULL, NULL, NULL);

    if (file != NULL)
        (void)fclose(file);
    return cert;
}

static void test_chain(void)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    X509 *ca;
    X509 *cert;

    CHECK(localca_ensure(dir, "chancery.example,10.1.2.3", &paths) == OK);
    ca = load(paths.ca);
    cert = load(paths.cert);
    CHECK(ca != NULL && cert != NULL);
    CHECK(X509_STORE_add_cert(store, ca) == 1);
    CHECK(X509_STORE_CTX_init(context, store, cert, NULL) == 1);
    CHECK(X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_SERVER) == 1);
    CHECK(X509_verify_cert(context) == 1);
    CHECK(X509_check_host(cert, "localhost", 0, 0, NULL) == 1);
    CHECK(X509_check_host(cert, "chancery.example", 0, 0, NULL) == 1);
    CHECK(X509_check_ip_asc(cert, "127.0.0.1", 0) == 1);
    CHECK(X509_check_ip_asc(cert, "::1", 0) == 1);
    CHECK(X509_check_ip_asc(cert, "10.1.2.3", 0) == 1);
    CHECK(X509_check_host(cert, "other.example", 0, 0, NULL) == 0);
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    X509_free(ca);
    X509_free(cert);
}

static void test_keys_are_private(void)
{
    char ca_key[600];
    struct stat found;

    (void)snprintf(ca_key, sizeof(ca_key), "%s/tls/ca.key", dir);
    CHECK(stat(ca_key, &found) == 0 && (found.st_mode & 0777) == 0600);
    CHECK(stat(paths.key, &found) == 0 && (found.st_mode & 0777) == 0600);
}

/* True when what ensure leaves is another server certificate than before, and whether another CA.
 */
static bool remade(const char *hosts, bool *ca_too)
{
    X509 *ca = load(paths.ca);
    X509 *cert = load(paths.cert);
    bool made = localca_ensure(dir, hosts, &paths) == OK;
    X509 *ca_now = load(paths.ca);
    X509 *cert_now = load(paths.cert);

    *ca_too = made && (ca == NULL || X509_cmp(ca, ca_now) != 0);
    made = made && (cert == NULL || X509_cmp(cert, cert_now) != 0);
    X509_free(ca);
    X509_free(cert);
    X509_free(ca_now);
    X509_free(cert_now);
    return made;
}

static void test_made_anew_only_when_needed(void)
{
    bool ca_too;

    CHECK(!remade("chancery.example,10.1.2.3", &ca_too) && !ca_too);
    CHECK(remade("other.example", &ca_too) && !ca_too);
    CHECK(unlink(paths.key) == 0);
    CHECK(remade("other.example", &ca_too) && !ca_too);
    CHECK(truncate(paths.cert, 20) == 0);
    CHECK(remade("other.example", &ca_too) && !ca_too);
    CHECK(unlink(paths.ca) == 0);
    CHECK(remade("other.example", &ca_too) && ca_too);
}

/* A comma or colon in a host would be another name to OpenSSL; it is left out. */
static void test_odd_hosts(void)
{
    X509 *cert;

    CHECK(localca_ensure(dir, "good.example,email:a@b,URI:x", &paths) == OK);
    cert = load(paths.cert);
    CHECK(X509_check_host(cert, "good.example", 0, 0, NULL) == 1);
    CHECK(X509_check_email(cert, "a@b", 0, 0) == 0);
    X509_free(cert);
}

static void test_no_directory(void)
{
    struct localca none;

    CHECK(localca_ensure("/nonexistent/dir", NULL, &none) == ERR_STORAGE);
}

int main(void)
{
    char command[64];

    if (mkdtemp(dir) == NULL)
        return EXIT_FAILURE;
    RUN(test_chain);
    RUN(test_keys_are_private);
    RUN(test_made_anew_only_when_needed);
    RUN(test_odd_hosts);
    RUN(test_no_directory);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    if (system(command) != 0)
        failures++;
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
