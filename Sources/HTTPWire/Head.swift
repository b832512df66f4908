/// The request methods the gateway decides by; any other in capitals is `other` and forwarded
/// as it was spelt (RFC 9110 §9).
public enum Method: UInt8, Sendable {
    case get, head, post, put, delete, patch, options, connect, trace, other

    /// Whether a request may be sent again when nobody knows if it was processed (RFC 9110 §9.2.2).
    public var isIdempotent: Bool {
        switch self {
        case .get, .head, .put, .delete, .options, .trace: true
        case .post, .patch, .connect, .other: false
        }
    }

    /// Whether the method promises to change nothing (RFC 9110 §9.2.1).
    public var isSafe: Bool {
        switch self {
        case .get, .head, .options, .trace: true
        default: false
        }
    }
}

/// How the end of a message body is found (RFC 9112 §6.3).
public enum BodyFraming: Equatable, Sendable {
    /// No body follows the head.
    case none
    /// Exactly this many bytes follow; never zero.
    case length(UInt64)
    /// Chunks follow, up to the zero chunk and its trailers.
    case chunked
    /// Everything until the peer closes; answers only.
    case untilClose

    // Asked for every message, and inlinable: `==` is a call through a witness table in another module.
    @inlinable
    public var isNone: Bool { if case .none = self { true } else { false } }
    @inlinable
    public var isChunked: Bool { if case .chunked = self { true } else { false } }
    @inlinable
    public var isUntilClose: Bool { if case .untilClose = self { true } else { false } }
}

/// One field line; the value has its surrounding white space removed.
public struct Field: Equatable, Sendable {
    public var name: ByteRange
    public var value: ByteRange
    public var known: FieldName

    public init(name: ByteRange, value: ByteRange, known: FieldName) {
        self.name = name
        self.value = value
        self.known = known
    }
}

/// What a message asks to become (RFC 9110 §7.8); the gateway knows WebSocket only.
public enum Upgrade: UInt8, Equatable, Sendable {
    case none
    /// `Connection: upgrade` and `Upgrade: websocket`, alone, on a bodiless HTTP/1.1 GET (or its 101).
    case webSocket

    @inlinable
    public var isWebSocket: Bool { if case .webSocket = self { true } else { false } }
}

/// A request head as parsed: offsets into its buffer and the decisions taken while parsing.
///
/// Made once per connection and refilled for every request, so that its storage is allocated once. Not copyable: a head
/// is large, and whoever reads it borrows it.
public struct RequestHead: ~Copyable, Sendable {
    public var method: Method = .other
    /// The method as spelt.
    public var methodText: ByteRange = .empty
    /// The target in origin form (or `*`), always starting at the path; an absolute-form target has lost its prefix.
    public var target: ByteRange = .empty
    /// The path of the target, without `?`.
    public var path: ByteRange = .empty
    /// The query of the target, without `?`; empty if none.
    public var query: ByteRange = .empty
    /// 0 or 1, for HTTP/1.0 and HTTP/1.1.
    public var minorVersion: UInt8 = 1
    /// The host of the Host field (or of the absolute-form target, which must agree), without port; case as sent.
    /// An IPv6 literal keeps its brackets.
    public var host: ByteRange = .empty
    /// The port of the Host field, without colon; empty if none.
    public var port: ByteRange = .empty
    public var fields: [Field] = []
    public var framing: BodyFraming = .none
    /// The Content-Length as sent, a zero included; nil without one.
    public var declaredLength: UInt64?
    /// Whether a field name holds `_` or `.`, which other software folds into `-` (CGI, WSGI): such a name may be the
    /// look-alike of an identity field, so the gatekeeper compares with `Field.resembles` before it admits.
    public var hasFoldableNames = false
    /// Whether the connection may carry another request after this one.
    public var keepAlive = true
    /// Whether the client waits for `100 Continue` before it sends the body; never true without a body.
    public var expectsContinue = false
    public var upgrade: Upgrade = .none
    /// Size of the head in the buffer, its last CRLF included.
    public var byteCount = 0

    // What most browsers send; where more come it grows once, and is used again.
    public init() { fields.reserveCapacity(24) }

    /// The first field with this name, for names that may appear once.
    public func first(_ name: FieldName) -> Field? {
        for index in 0..<fields.count where fields[index].known == name { return fields[index] }
        return nil
    }
}

/// A response head as parsed from a session or any other upstream; not copyable, like a request's.
public struct ResponseHead: ~Copyable, Sendable {
    /// 100...599.
    public var status = 0
    public var reason: ByteRange = .empty
    public var minorVersion: UInt8 = 1
    public var fields: [Field] = []
    /// The framing of the body that really follows, the request's method considered (RFC 9112 §6.3).
    public var framing: BodyFraming = .none
    /// The Content-Length as sent; for an answer to HEAD and for 304 it describes a body that does not follow.
    public var declaredLength: UInt64?
    /// Whether the upstream will take another request on this connection.
    public var keepAlive = true
    public var upgrade: Upgrade = .none
    /// Size of the head in the buffer, its last CRLF included.
    public var byteCount = 0

    public init() { fields.reserveCapacity(16) }

    /// The first field with this name, for names that may appear once.
    public func first(_ name: FieldName) -> Field? {
        for index in 0..<fields.count where fields[index].known == name { return fields[index] }
        return nil
    }
}

/// The bounds of a message head.
public struct HeadLimits: Sendable {
    /// Bytes of the first line, its CRLF included.
    public var line: Int
    /// Bytes of the whole head.
    public var head: Int
    /// Number of field lines.
    public var fields: Int

    public init(line: Int, head: Int, fields: Int) {
        self.line = line
        self.head = head
        self.fields = fields
    }

    /// What a client may send.
    public static let request = HeadLimits(line: 8 << 10, head: 64 << 10, fields: 200)
    /// What a session may answer.
    public static let response = HeadLimits(line: 8 << 10, head: 256 << 10, fields: 500)
}
