package import HTTPClient

/// Why Cloudflare did not do what it was asked: method, path, and its own codes and words.
package struct CloudflareError: Error, Hashable, Sendable {
    /// One entry of an answer's `errors`.
    package struct Detail: Hashable, Sendable, Decodable, CustomStringConvertible {
        package var code: Int
        package var message: String

        package init(code: Int, message: String) {
            self.code = code
            self.message = message
        }

        package var description: String { "\(code) \(message)" }
    }

    package enum Cause: Hashable, Sendable {
        /// The API refused: HTTP status and its errors.
        case refused(status: Int, [Detail])
        /// No (complete) answer: the client's words.
        case unreachable(String)
        /// The answer cannot be read: what is wrong with it.
        case malformed(String)
        case cancelled
    }

    package var method: ClientMethod
    /// Below the API's base, with the query.
    package var path: String
    package var cause: Cause
    /// When the API asks to come back.
    package var retryAfter: Duration?

    package init(_ method: ClientMethod, _ path: String, _ cause: Cause, retryAfter: Duration? = nil) {
        self.method = method
        self.path = path
        self.cause = cause
        self.retryAfter = retryAfter
    }

    package var status: Int? { if case .refused(let status, _) = cause { status } else { nil } }

    package var codes: [Int] { if case .refused(_, let details) = cause { details.map(\.code) } else { [] } }

    /// Whether the same request may succeed later without anybody changing anything.
    package var isPassing: Bool {
        switch cause {
        case .refused(let status, _): status == 429 || status >= 500
        case .unreachable: true
        case .malformed, .cancelled: false
        }
    }

    /// A record with that name is there already (81053), or that very record (81057, 81058).
    var saysRecordExists: Bool { codes.contains { [81053, 81057, 81058].contains($0) } }

    /// There is no such record: somebody else has deleted it.
    var saysRecordIsGone: Bool { status == 404 || codes.contains(81044) }
}

extension CloudflareError: CustomStringConvertible {
    package var description: String {
        let request = "\(method.rawValue) \(path)"
        switch cause {
        case .refused(let status, let details):
            let words = details.isEmpty ? "no reason given" : details.map(\.description).joined(separator: "; ")
            let hint = [401, 403].contains(status) ? " (is CF_API_TOKEN valid, and may it do this?)" : ""
            return "\(request): \(status): \(words)\(hint)"
        case .unreachable(let text), .malformed(let text): return "\(request): \(text)"
        case .cancelled: return "\(request): cancelled"
        }
    }
}
