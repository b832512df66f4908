package import HTTPTypes

/// The answer to one request of the API.
package struct APIResponse: Sendable {
    /// What follows the head.
    package enum Body: Sendable {
        case empty
        case bytes([UInt8])
        /// Pulled piece by piece, so that a slow client gets the newest state and not a backlog. Cancelling the task that
        /// reads it, or letting go of it, ends it.
        case stream(AsyncStream<[UInt8]>)
    }

    package var status: HTTPResponse.Status
    /// Without framing fields; those are the connection's.
    package var headers: HTTPFields
    package var body: Body
    /// False where a secret stands beside what a stranger may have chosen (BREACH), and for streams.
    package var compressible: Bool

    package init(
        status: HTTPResponse.Status, headers: HTTPFields = [:], body: Body = .empty, compressible: Bool = false
    ) {
        self.status = status
        self.headers = headers
        self.body = body
        self.compressible = compressible
    }

    static func json(_ json: JSON, status: HTTPResponse.Status = .ok, compressible: Bool = true) -> Self {
        Self(
            status: status,
            headers: [.contentType: "application/json; charset=utf-8", .cacheControl: "no-store"],
            body: .bytes(json.bytes), compressible: compressible)
    }

    static func text(_ text: String) -> Self {
        Self(
            status: .ok, headers: [.contentType: "text/plain; charset=utf-8", .cacheControl: "no-store"],
            body: .bytes(Array(text.utf8)))
    }
}
