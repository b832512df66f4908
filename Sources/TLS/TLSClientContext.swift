internal import COpenSSL

/// A configuration made ready for connections: certificates parsed, keys checked.
///
/// Unchecked: an SSL_CTX that nobody changes any more may be used by every thread (OpenSSL's threads(7)).
package final class TLSClientContext: @unchecked Sendable {
    let pointer: OpaquePointer

    /// Reads certificates and keys.
    package init(_ configuration: TLSConfiguration) throws(TLSError) {
        ERR_clear_error()
        guard let pointer = SSL_CTX_new(TLS_client_method()) else { throw .exhausted }
        self.pointer = pointer
        guard copenssl_require_tls12(pointer) == 1 else { throw .fromQueue(fallback: "TLS 1.2 is not available") }
        // Renegotiation, for one, would make a write wait for a read.
        copenssl_set_modes(pointer)
        SSL_CTX_set_verify(pointer, SSL_VERIFY_PEER, nil)
        let protocols: [UInt8] = [8] + Array("http/1.1".utf8)
        // Zero is success here, unlike everywhere else.
        guard SSL_CTX_set_alpn_protos(pointer, protocols, UInt32(protocols.count)) == 0 else { throw .exhausted }
        try trust(configuration.trust)
        if let identity = configuration.identity { try present(identity) }
    }

    deinit { SSL_CTX_free(pointer) }

    private func trust(_ trust: TLSConfiguration.Trust) throws(TLSError) {
        switch trust {
        case .system:
            guard SSL_CTX_set_default_verify_paths(pointer) == 1 else { throw .unreadableAuthorities }
        case .only(let pem):
            let certificates = PEM.certificates(in: pem)
            guard !certificates.isEmpty, let store = SSL_CTX_get_cert_store(pointer) else {
                throw .unreadableAuthorities
            }
            for certificate in certificates {
                guard X509_STORE_add_cert(store, certificate.pointer) == 1 else { throw .unreadableAuthorities }
            }
            copenssl_trust_partial_chains(pointer)
        case .onlyFile(let path):
            guard SSL_CTX_load_verify_file(pointer, path) == 1 else { throw .unreadableAuthorities }
            copenssl_trust_partial_chains(pointer)
        }
        ERR_clear_error()
    }

    private func present(_ identity: TLSConfiguration.ClientIdentity) throws(TLSError) {
        let certificates = PEM.certificates(in: identity.certificates)
        guard let own = certificates.first, let key = PEM.PrivateKey(identity.privateKey),
            SSL_CTX_use_certificate(pointer, own.pointer) == 1
        else { throw .unreadableIdentity }
        for certificate in certificates.dropFirst() {
            guard copenssl_add_chain_certificate(pointer, certificate.pointer) == 1 else { throw .unreadableIdentity }
        }
        guard SSL_CTX_use_PrivateKey(pointer, key.pointer) == 1, SSL_CTX_check_private_key(pointer) == 1 else {
            throw .unreadableIdentity
        }
        ERR_clear_error()
    }
}

/// Certificates and keys out of PEM text.
private enum PEM {
    final class Certificate {
        let pointer: OpaquePointer
        init(_ pointer: OpaquePointer) { self.pointer = pointer }
        deinit { X509_free(pointer) }
    }

    final class PrivateKey {
        let pointer: OpaquePointer

        init?(_ text: String) {
            let key = PEM.withBIO(text) { bio in
                // Without a password of ours, OpenSSL would ask on the terminal for an encrypted key's.
                "".withCString { PEM_read_bio_PrivateKey(bio, nil, nil, UnsafeMutableRawPointer(mutating: $0)) }
            }
            guard let key = key ?? nil else { return nil }
            pointer = key
        }

        deinit { EVP_PKEY_free(pointer) }
    }

    /// All certificates in the text, other blocks skipped.
    static func certificates(in text: String) -> [Certificate] {
        let all = withBIO(text) { bio in
            var all: [Certificate] = []
            while let certificate = PEM_read_bio_X509(bio, nil, nil, nil) { all.append(Certificate(certificate)) }
            return all
        }
        ERR_clear_error()
        return all ?? []
    }

    private static func withBIO<R>(_ text: String, _ body: (OpaquePointer) -> R) -> R? {
        var text = text
        return text.withUTF8 { bytes in
            guard let bio = BIO_new_mem_buf(bytes.baseAddress, Int32(bytes.count)) else { return nil }
            defer { BIO_free(bio) }
            return body(bio)
        }
    }
}
