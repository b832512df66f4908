// OpenSSL's headers and, below them, functions for the macros that Swift cannot import.
#ifndef COPENSSL_H
#define COPENSSL_H
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/// SSL_set_tlsext_host_name: the name sent as SNI. Returns 1 on success.
int copenssl_set_server_name(SSL *ssl, const char *name);

/// SHA-256 of `count` bytes into 32 bytes, without allocating and without a lock.
void copenssl_sha256(const void *bytes, size_t count, unsigned char *digest);
#endif
