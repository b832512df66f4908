internal import COpenSSL
package import LinuxIO

/// Why a TLS connection, or the settings for one, are no good.
package enum TLSError: Error, Equatable, Sendable {
    /// The settings hold no certificate authority that can be read.
    case unreadableAuthorities
    /// The client's certificate or key cannot be read, or they do not belong together.
    case unreadableIdentity
    /// The server's certificate is not accepted: OpenSSL's words for why (`certificate has expired`, …).
    case untrusted(reason: String)
    /// The handshake failed, or the peer broke the protocol: OpenSSL's words.
    case failed(reason: String)
    /// The connection ended without close_notify: what came may not be everything (RFC 8446 §6.1).
    case truncated
    /// The connection below failed.
    case connection(IOError)
    /// No memory for a connection.
    case exhausted
}

extension TLSError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unreadableAuthorities: "the certificate authorities cannot be read"
        case .unreadableIdentity: "the client certificate or its key cannot be read, or they do not match"
        case .untrusted(let reason): "the server's certificate is not trusted: \(reason)"
        case .failed(let reason): "TLS failed: \(reason)"
        case .truncated: "the TLS connection was cut off"
        case .connection(let error): "\(error)"
        case .exhausted: "no memory for a TLS connection"
        }
    }

    /// The oldest error that OpenSSL noted on this thread since its list was cleared.
    static func fromQueue(fallback: String) -> TLSError {
        let code = ERR_get_error()
        guard code != 0, let reason = ERR_reason_error_string(code) else { return .failed(reason: fallback) }
        return .failed(reason: String(cString: reason))
    }
}
