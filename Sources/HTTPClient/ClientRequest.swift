package import TLS

/// The methods that our own requests use.
package enum ClientMethod: String, Hashable, Sendable {
    case get = "GET"
    case head = "HEAD"
    case post = "POST"
    case put = "PUT"
    case patch = "PATCH"
    case delete = "DELETE"

    /// Whether a request may be sent again when nobody knows if it was processed (RFC 9110 §9.2.2).
    fileprivate var isIdempotent: Bool { self != .post && self != .patch }
    /// Whether servers expect to be told that there is no body (RFC 9110 §8.6).
    var expectsBody: Bool { self == .post || self == .put || self == .patch }
}

/// One field line.
package struct ClientField: Hashable, Sendable {
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// How long each part of an exchange may take.
package struct ClientTimeouts: Hashable, Sendable {
    /// Until one address has answered the connection attempt; TLS may take as long again.
    package var connect: Duration = .seconds(2)
    /// From the request's last byte to the end of the answer's head; nil waits for ever.
    package var head: Duration? = .seconds(30)
    /// The longest silence while the request is sent or the answer's body is awaited; nil waits for ever.
    package var idle: Duration? = .seconds(30)
    /// From the call to the body's last byte; nil sets no such limit.
    package var total: Duration?

    package init(
        connect: Duration = .seconds(2), head: Duration? = .seconds(30), idle: Duration? = .seconds(30),
        total: Duration? = nil
    ) {
        self.connect = connect
        self.head = head
        self.idle = idle
        self.total = total
    }
}

/// What happens when the answer points elsewhere.
package enum RedirectPolicy: Hashable, Sendable {
    /// The redirect is the answer.
    case never
    /// GET and HEAD follow up to `maximum` redirects that stay on the same scheme, host and port.
    case sameOrigin(maximum: Int)
}

/// One outbound request.
///
/// The client itself writes Host, Content-Length and Connection; everything else is the caller's.
package struct ClientRequest: Sendable {
    package var method: ClientMethod
    package var url: HTTPURL
    /// The Host field's value where it is not the URL's own: inside a cluster a service's name leads to a server that
    /// answers to its public name.
    package var authority: String?
    package var fields: [ClientField]
    /// The body; nil is none.
    package var body: [UInt8]?
    package var timeouts = ClientTimeouts()
    package var redirects = RedirectPolicy.never
    /// Which addresses the request may go to.
    package var addresses = AddressPolicy.any
    /// Whom to trust on https; nil is the client's own setting.
    package var tls: TLSConfiguration?
    /// Whether the request may be sent again when nobody knows if it was processed; only such requests use connections
    /// that were used before. The method's nature, unless the caller knows better.
    package var isRepeatable: Bool

    package init(_ method: ClientMethod = .get, _ url: HTTPURL, fields: [ClientField] = [], body: [UInt8]? = nil) {
        self.method = method
        self.url = url
        self.fields = fields
        self.body = body
        self.isRepeatable = method.isIdempotent
    }

    /// The head as it goes onto the wire; throws what is wrong with it.
    func head() throws(HTTPClientError.Cause) -> [UInt8] {
        let authority = authority ?? url.origin.authority
        guard authority.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { throw .invalidField(name: "Host") }
        var text = "\(method.rawValue) \(url.target) HTTP/1.1\r\nHost: \(authority)\r\n"
        var namesAgent = false
        for field in fields {
            try field.check()
            namesAgent = namesAgent || field.name.lowercased() == "user-agent"
            text += "\(field.name): \(field.value)\r\n"
        }
        if !namesAgent { text += "User-Agent: opencode-router\r\n" }
        if let body {
            text += "Content-Length: \(body.count)\r\n"
        } else if method.expectsBody {
            text += "Content-Length: 0\r\n"
        }
        return Array((text + "\r\n").utf8)
    }
}

extension ClientField {
    /// A name is a token, a value has no control bytes, and neither frames the message (RFC 9110 §5.1, §5.5).
    fileprivate func check() throws(HTTPClientError.Cause) {
        let punctuation = Array("!#$%&'*+-.^_`|~".utf8)
        guard !name.isEmpty, name.utf8.allSatisfy({ $0.isLetterOrDigit || punctuation.contains($0) }),
            value.utf8.allSatisfy({ ($0 >= 0x20 && $0 != 0x7F) || $0 == 0x09 }),
            !Self.reserved.contains(name.lowercased())
        else { throw .invalidField(name: String(name.prefix(64))) }
    }

    private static let reserved: Set<String> = [
        "host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "expect", "keep-alive",
    ]
}
