/// A request to the API, as a value that leaves the worker.
package struct ControlRequest: Sendable {
    /// Who asks.
    package enum Caller: Hashable, Sendable {
        /// A user by their normalised address.
        case user(String)
        /// Nobody is named: what the request carries instead, an administrator's key, is for the API to judge.
        case unnamed
        /// Whoever reaches the pods' listener; nothing is proven yet.
        case pod
    }

    /// As spelt.
    package var method: String
    /// The path as sent, still percent-encoded.
    package var path: String
    /// The query without `?`; empty if none.
    package var query: String
    /// All fields in order, names as sent.
    package var fields: [(name: String, value: String)]
    /// The body, at most `DataPlaneSettings.apiBodyLimit` bytes.
    package var body: [UInt8]
    package var caller: Caller
    /// The peer's numeric address, without port.
    package var peer: String
    package var requestID: String

    package init(
        method: String, path: String, query: String, fields: [(name: String, value: String)], body: [UInt8],
        caller: Caller, peer: String, requestID: String
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.fields = fields
        self.body = body
        self.caller = caller
        self.peer = peer
        self.requestID = requestID
    }
}

/// The API's answer, as a value that comes back to the worker.
package struct ControlResponse: Sendable {
    package enum Body: Sendable {
        case bytes([UInt8])
        /// Sent as it comes, each element at once; the stream is cancelled when the client goes away.
        case stream(AsyncStream<[UInt8]>)
    }

    package var status: Int
    /// Content-Type and whatever else the API sets; framing, Date and X-Request-Id are the worker's.
    package var fields: [(name: String, value: String)]
    package var body: Body

    package init(status: Int, fields: [(name: String, value: String)], body: Body) {
        self.status = status
        self.fields = fields
        self.body = body
    }
}

/// The slow stream behind the workers: everything that needs more than the route table.
package protocol ControlPlane: Sendable {
    /// Answers a request to the API; cancelled when the client goes away.
    func respond(to request: ControlRequest) async -> ControlResponse
    /// Whether a sign-in still holds; asked only if that was configured.
    func confirm(_ signIn: SignIn) async -> SignInVerdict
    /// Somebody who may opened a sleeping session: start it for its owner. Called for every such request; must be
    /// idempotent. `sign` says what they did: `visit` or `attach`.
    func wake(session id: UInt64, for email: String, by sign: StaticString, requestID: String)
    /// A running session's owner uses it, once a minute: with these of the request's fields that an ingress sets.
    func used(session id: UInt64, by email: String, fields: [(name: String, value: String)], requestID: String)
    /// An identity that this process may not have met before asks for something; for the audit log. May be told twice.
    func met(email: String, peer: String, requestID: String)
    /// Somebody was refused; for the audit log.
    func denied(_ denial: Denial)
}

/// A refusal worth an audit line.
package struct Denial: Sendable {
    /// The stable code of the refusal.
    package var code: String
    /// The caller's address, if the request proved one.
    package var email: String?
    package var peer: String
    /// The session that the host names, if it names one.
    package var session: UInt64?
    package var requestID: String
}
