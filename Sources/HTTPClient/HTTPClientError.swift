package import HTTPWire
package import LinuxIO
package import TLS

/// Why a request has no (complete) answer: the method, the URL without query and credentials, and the cause.
package struct HTTPClientError: Error, Equatable, Sendable {
    package var method: ClientMethod
    /// Without query, so that it may be logged.
    package var url: String
    package var cause: Cause

    package init(_ method: ClientMethod, _ url: HTTPURL, _ cause: Cause) {
        self.method = method
        self.url = url.description
        self.cause = cause
    }

    /// What an exchange was waiting for when its time was up.
    package enum Phase: String, Sendable {
        case resolving, connecting, sending, head, body
    }

    /// One decision each.
    package enum Cause: Error, Equatable, Sendable {
        /// A field that would break the message, or that only the client may write.
        case invalidField(name: String)
        /// The host has no address: the resolver's words.
        case unresolvable(reason: String)
        /// The host's address is not one that this request may go to.
        case refusedAddress(IPAddress)
        /// No address of the host took the connection; the last one's reason.
        case unreachable(IOError)
        case timedOut(Phase)
        case tls(TLSError)
        /// The connection broke while it was in use.
        case connection(IOError)
        /// The server closed the connection without an answer.
        case closedWithoutAnswer
        /// The connection ended before the answer did.
        case truncated
        /// The answer is not HTTP/1.1 as we accept it.
        case malformed(WireError)
        /// The body is longer than the caller's limit.
        case tooLarge(limit: Int)
        case tooManyRedirects
        /// The redirect leads to no URL, or to another server.
        case refusedRedirect
        case cancelled
    }
}

extension HTTPClientError: CustomStringConvertible {
    package var description: String { "\(method.rawValue) \(url): \(cause)" }
}

extension HTTPClientError.Cause: CustomStringConvertible {
    /// Words for logs and for people.
    package var description: String {
        switch self {
        case .invalidField(let name): "the field \(name) cannot be sent"
        case .unresolvable(let reason): "the host cannot be found (\(reason))"
        case .refusedAddress(let address): "the host's address \(address) is not allowed"
        case .unreachable(let error): "the host cannot be reached (\(error))"
        case .timedOut(.resolving): "looking up the host took too long"
        case .timedOut(.connecting): "the host did not accept the connection in time"
        case .timedOut(.sending): "the server took too long to take the request"
        case .timedOut(.head): "the server took too long to answer"
        case .timedOut(.body): "the server stopped in the middle of its answer"
        case .tls(let error): "\(error)"
        case .connection(let error): "the connection broke (\(error))"
        case .closedWithoutAnswer: "the server closed the connection without an answer"
        case .truncated: "the answer was cut off"
        case .malformed(let error): "the answer is malformed (\(error))"
        case .tooLarge(let limit): "the answer is longer than \(limit) bytes"
        case .tooManyRedirects: "too many redirects"
        case .refusedRedirect: "the server redirects elsewhere"
        case .cancelled: "cancelled"
        }
    }
}
