/* SPDX-License-Identifier: Apache-2.0 */
#include "service/tls.h"

#include "core/log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* X25519 first because that is the key share most clients send: another group costs a round trip.
 */
const char tls_priorities[] =
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:"
    "-CIPHER-ALL:+AES-256-GCM:+AES-128-GCM:+CHACHA20-POLY1305:-MAC-ALL:+AEAD:"
    "-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1";

struct tls_credential {
    gnutls_certificate_credentials_t certificate;
    atomic_uint references;
};

struct tls {
    const char *cert_path;
    const char *key_path;
    pthread_mutex_t lock;
    struct tls_credential *present;
    gnutls_datum_t ticket_key; /* GnuTLS derives rotating keys from it */
};

void tls_detach(struct tls_credential *c)
{
    if (c == NULL || atomic_fetch_sub(&c->references, 1) != 1)
        return;
    gnutls_certificate_free_credentials(c->certificate);
    free(c);
}

static struct tls_credential *credential_load(const char *cert_path, const char *key_path)
{
    struct tls_credential *c = calloc(1, sizeof(*c));
    int rc;

    if (c == NULL)
        return NULL;
    atomic_init(&c->references, 1);
    rc = gnutls_certificate_allocate_credentials(&c->certificate);
    if (rc < 0) {
        free(c);
        return NULL;
    }
    rc = gnutls_certificate_set_x509_key_file(c->certificate, cert_path, key_path,
                                              GNUTLS_X509_FMT_PEM);
    if (rc >= 0)
        return c;
    log_ours("the certificate %s and the key %s cannot be used: %s", cert_path, key_path,
             gnutls_strerror(rc));
    tls_detach(c);
    return NULL;
}

enum err tls_open(const char *cert_path, const char *key_path, struct tls **out)
{
    struct tls *t = calloc(1, sizeof(*t));

    *out = NULL;
    if (t == NULL)
        return ERR_INTERNAL;
    t->cert_path = cert_path;
    t->key_path = key_path;
    t->present = credential_load(cert_path, key_path);
    if (t->present == NULL) {
        free(t);
        return ERR_INVALID;
    }
    if (gnutls_session_ticket_key_generate(&t->ticket_key) < 0) {
        tls_detach(t->present);
        free(t);
        return ERR_INTERNAL;
    }
    pthread_mutex_init(&t->lock, NULL);
    *out = t;
    return OK;
}

void tls_close(struct tls *t)
{
    if (t == NULL)
        return;
    tls_detach(t->present);
    gnutls_memset(t->ticket_key.data, 0, t->ticket_key.size);
    gnutls_free(t->ticket_key.data);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

enum err tls_reload(struct tls *t)
{
    struct tls_credential *fresh = credential_load(t->cert_path, t->key_path);
    struct tls_credential *old;

    if (fresh == NULL)
        return ERR_INVALID;
    pthread_mutex_lock(&t->lock);
    old = t->present;
    t->present = fresh;
    pthread_mutex_unlock(&t->lock);
    tls_detach(old);
    log_info("new connections use the certificate now in %s", t->cert_path);
    return OK;
}

struct tls_credential *tls_attach(struct tls *t, gnutls_session_t session)
{
    struct tls_credential *c;

    pthread_mutex_lock(&t->lock);
    c = t->present;
    atomic_fetch_add(&c->references, 1);
    pthread_mutex_unlock(&t->lock);
    if (gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, c->certificate) >= 0 &&
        gnutls_session_ticket_enable_server(session, &t->ticket_key) >= 0)
        return c;
    tls_detach(c);
    return NULL;
}
