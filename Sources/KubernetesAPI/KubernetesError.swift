/// Why the API server did not do what it was asked: verb, kind, name, and its own words.
package struct KubernetesError: Error, Hashable, Sendable {
    /// What happened, one decision each.
    package enum Cause: Hashable, Sendable {
        /// The server answered with a failure: HTTP status, machine-readable reason, message.
        case status(Int, reason: String, message: String)
        /// No (complete) answer: the client's words.
        case unreachable(String)
        /// The answer cannot be read.
        case malformed(String)
        /// Our own credentials cannot be read.
        case credentials(String)
        case cancelled
    }

    package var verb: Verb
    package var kind: String
    package var name: String?
    package var cause: Cause
    /// When the server asks to come back, in seconds.
    package var retryAfter: Int?

    package init(_ request: KubernetesRequest, _ cause: Cause, retryAfter: Int? = nil) {
        verb = request.verb
        kind = request.resource.kind + (request.subresource.map { "/\($0)" } ?? "")
        name = request.name
        self.cause = cause
        self.retryAfter = retryAfter
    }

    /// The HTTP status; nil if there was no answer.
    package var status: Int? { if case .status(let status, _, _) = cause { status } else { nil } }

    /// The server's machine-readable reason (`AlreadyExists`, `Conflict`, …), which two 409 differ by.
    package var reason: String? { if case .status(_, let reason, _) = cause { reason } else { nil } }

    /// The server's message, or ours where there is none.
    package var message: String {
        switch cause {
        case .status(_, _, let message): message
        case .unreachable(let text), .malformed(let text), .credentials(let text): text
        case .cancelled: "cancelled"
        }
    }

    /// Whether trying again later may help without anybody changing anything.
    package var isPassing: Bool {
        switch cause {
        case .status(let status, _, _): status == 429 || status >= 500 || status == 401
        case .unreachable, .credentials, .cancelled: true
        case .malformed: false
        }
    }
}

extension KubernetesError: CustomStringConvertible {
    package var description: String {
        let object = name.map { "\(kind) \($0)" } ?? kind
        return switch cause {
        case .status(let status, let reason, let message):
            "\(verb.rawValue) \(object): \(status)\(reason.isEmpty ? "" : " \(reason)"): \(message)"
        default: "\(verb.rawValue) \(object): \(message)"
        }
    }
}
