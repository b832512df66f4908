package import HTTPTypes

/// Who calls: a verified identity.
package struct APICaller: Hashable, Sendable {
    /// Trimmed and lower-case.
    package var email: String
    package var isAdmin: Bool

    package init(email: String, isAdmin: Bool = false) {
        self.email = email
        self.isAdmin = isAdmin
    }
}

/// One request of the API, read completely; framing, identity and origin were checked before.
package struct APIRequest: Sendable {
    package var method: HTTPRequest.Method
    /// Without the query, as sent.
    package var path: String
    /// Behind the "?", as sent; empty if there is none.
    package var query: String
    package var headers: HTTPFields
    /// At most MAX_API_BODY_BYTES.
    package var body: [UInt8]
    /// Nil for a request without a valid identity.
    package var caller: APICaller?
    /// The client's address, for the audit log.
    package var peer: String
    /// Names the request in logs.
    package var requestID: String
    /// The caller's access token for the repository's host; never logged.
    package var gitToken: String?

    package init(
        method: HTTPRequest.Method, path: String, query: String = "", headers: HTTPFields = [:], body: [UInt8] = [],
        caller: APICaller?, peer: String, requestID: String, gitToken: String? = nil
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.caller = caller
        self.peer = peer
        self.requestID = requestID
        self.gitToken = gitToken
    }

    /// The first value of a query parameter, with percent-encoding and "+" undone; nil if absent or malformed.
    func parameter(_ name: String) -> String? {
        for pair in query.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard Self.decoded(parts[0]) == name else { continue }
            return Self.decoded(parts.count > 1 ? parts[1] : "")
        }
        return nil
    }

    private static func decoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"): bytes.append(0x20)
            case UInt8(ascii: "%"):
                guard rest.count >= 2, let value = UInt8(hexDigits: rest.prefix(2)) else { return nil }
                bytes.append(value)
                rest = rest.dropFirst(2)
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }
}

extension UInt8 {
    fileprivate init?(hexDigits: Substring.UTF8View) {
        var value: UInt8 = 0
        for byte in hexDigits {
            switch byte {
            case 0x30...0x39: value = value << 4 | (byte - 0x30)
            case 0x41...0x46: value = value << 4 | (byte - 0x41 + 10)
            case 0x61...0x66: value = value << 4 | (byte - 0x61 + 10)
            default: return nil
            }
        }
        self = value
    }
}
