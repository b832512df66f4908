// OpenSSL's headers and, below them, functions for the macros that Swift cannot import.
#ifndef COPENSSL_H
#define COPENSSL_H
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/// SSL_set_tlsext_host_name: the name sent as SNI. Returns 1 on success.
int copenssl_set_server_name(SSL *ssl, const char *name);
/// SSL_CTX_set_min_proto_version(TLS 1.2). Returns 1 on success.
int copenssl_require_tls12(SSL_CTX *context);
/// SSL_CTX_set_mode and SSL_CTX_set_options: buffers are released while idle, a write may be repeated from another
/// address, no renegotiation, no compression.
void copenssl_set_modes(SSL_CTX *context);
/// SSL_CTX_add1_chain_cert: one more certificate to send behind our own. Returns 1 on success.
int copenssl_add_chain_certificate(SSL_CTX *context, X509 *certificate);
/// X509_V_FLAG_PARTIAL_CHAIN: every certificate in the store is an anchor, self-signed or not.
void copenssl_trust_partial_chains(SSL_CTX *context);

/// SHA-256 of `count` bytes into 32 bytes, without allocating and without a lock.
void copenssl_sha256(const void *bytes, size_t count, unsigned char *digest);
#endif
