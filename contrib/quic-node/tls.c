/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS 1.3 by GnuTLS with a certificate of our own making, new at each start. Peers are not
 * authenticated: whoever can reach the port may call itself by any name.
 */
#include "node.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <ngtcp2/ngtcp2_crypto_gnutls.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char priority[] =
    "NONE:+VERS-TLS1.3:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:+AEAD:+SIGN-ALL:"
    "+CTYPE-X509:+GROUP-X25519:+GROUP-SECP256R1:+COMP-NULL:%DISABLE_TLS13_COMPAT_MODE";

static int certificate_fill(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key)
{
    static const char cn[] = "pathdog quic-node";
    uint8_t serial[8];
    time_t now = time(NULL);
    int r;

    gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial));
    serial[0] &= 0x7f;
    r = gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
                                     GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
    if (r == 0)
        r = gnutls_x509_crt_set_version(crt, 3);
    if (r == 0)
        r = gnutls_x509_crt_set_serial(crt, serial, sizeof(serial));
    if (r == 0)
        r = gnutls_x509_crt_set_activation_time(crt, now - 3600);
    if (r == 0)
        r = gnutls_x509_crt_set_expiration_time(crt, now + 365 * 24 * 3600);
    if (r == 0)
        r = gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, cn, sizeof(cn) - 1);
    if (r == 0)
        r = gnutls_x509_crt_set_key(crt, key);
    if (r == 0)
        r = gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0);
    return r;
}

int tls_init(struct node *node)
{
    gnutls_x509_privkey_t key = NULL;
    gnutls_x509_crt_t crt = NULL;
    int r = gnutls_certificate_allocate_credentials(&node->credentials);

    if (r == 0)
        r = gnutls_x509_privkey_init(&key);
    if (r == 0)
        r = gnutls_x509_crt_init(&crt);
    if (r == 0)
        r = certificate_fill(crt, key);
    if (r == 0)
        r = gnutls_certificate_set_x509_key(node->credentials, &crt, 1, key);
    if (crt)
        gnutls_x509_crt_deinit(crt);
    if (key)
        gnutls_x509_privkey_deinit(key);
    return r < 0 ? -EIO : 0;
}

void tls_free(struct node *node)
{
    if (node->credentials)
        gnutls_certificate_free_credentials(node->credentials);
    node->credentials = NULL;
}

static ngtcp2_conn *tls_get_conn(ngtcp2_crypto_conn_ref *ref)
{
    return ((struct conn *)ref->user_data)->quic;
}

int tls_session_new(struct conn *c)
{
    gnutls_datum_t alpn = {(unsigned char *)NODE_ALPN, sizeof(NODE_ALPN) - 1};
    int r = gnutls_init(&c->tls,
                        c->server ? GNUTLS_SERVER | GNUTLS_NO_AUTO_SEND_TICKET : GNUTLS_CLIENT);

    if (r < 0) {
        c->tls = NULL;
        return -ENOMEM;
    }
    c->tls_ref.get_conn = tls_get_conn;
    c->tls_ref.user_data = c;
    gnutls_session_set_ptr(c->tls, &c->tls_ref);
    if (gnutls_priority_set_direct(c->tls, priority, NULL) < 0 ||
        gnutls_credentials_set(c->tls, GNUTLS_CRD_CERTIFICATE, c->node->credentials) < 0 ||
        gnutls_alpn_set_protocols(c->tls, &alpn, 1, GNUTLS_ALPN_MANDATORY) < 0)
        return -EIO;
    r = c->server ? ngtcp2_crypto_gnutls_configure_server_session(c->tls)
                  : ngtcp2_crypto_gnutls_configure_client_session(c->tls);
    return r < 0 ? -EIO : 0;
}

void random_bytes(uint8_t *data, size_t len)
{
    if (gnutls_rnd(GNUTLS_RND_KEY, data, len) < 0)
        abort(); /* no randomness, no QUIC */
}
