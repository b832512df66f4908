/// Whom a TLS client trusts, and who it says it is.
///
/// Fixed for every client: at least TLS 1.2, the server is always verified, ALPN `http/1.1`.
package struct TLSConfiguration: Hashable, Sendable {
    /// Which authorities may have signed the server's certificate.
    package enum Trust: Hashable, Sendable {
        /// Those of this machine (OpenSSL's default paths, SSL_CERT_FILE and SSL_CERT_DIR).
        case system
        /// Only the certificates in this PEM text.
        case only(pem: String)
        /// Only the certificates in this PEM file.
        case onlyFile(String)
    }

    /// A certificate with its key, both PEM; further certificates of the chain may follow the first.
    package struct ClientIdentity: Hashable, Sendable {
        package var certificates: String
        package var privateKey: String

        package init(certificates: String, privateKey: String) {
            self.certificates = certificates
            self.privateKey = privateKey
        }
    }

    package var trust: Trust
    package var identity: ClientIdentity?
    /// Whom the server's certificate must name, where that is not the host that the URL names.
    package var serverName: String?

    package init(trust: Trust = .system, identity: ClientIdentity? = nil, serverName: String? = nil) {
        self.trust = trust
        self.identity = identity
        self.serverName = serverName
    }
}
