/// What a request becomes on its way to a session, beyond what no request keeps.
///
/// Made once per kind of host: writing a head with it allocates nothing. Names and prefixes are compared without regard
/// to case. Not copyable, for copying eight arrays per request cost a third of the byte path's reference counting.
public struct RequestRewrite: ~Copyable, Sendable {
    /// The Host to send; nil keeps the one the browser sent, which is what sessions expect.
    public var hostOverride: [UInt8]?
    /// Cookies whose names begin with one of these stay here.
    public var authCookiePrefixes: [[UInt8]] = []
    /// Whether no cookie at all passes.
    public var dropsAllCookies = false
    /// The field by which the ingress proves itself; it stays here.
    public var secretFieldName: [UInt8]?
    /// The field that carries the identity; it stays here.
    public var identityFieldName: [UInt8] = []
    /// The X-Forwarded-Proto to send.
    public var publicProto: [UInt8] = Array("https".utf8)
    /// Whether parameters named `password` are cut out of the query, and Referer stays here, which may repeat them (hosts
    /// where the gateway itself reads them).
    public var dropsQueryPassword = false
    /// The name to append in Via, behind the version the client spoke (RFC 9110 §7.6.3: a gateway names itself towards
    /// the origin); nil appends nothing.
    public var via: [UInt8]? = Array("opencode-router".utf8)

    /// Makes a rewrite that adds nothing but the forwarding fields.
    public init() {}

    /// An upper bound of the head's size once rewritten, for choosing the memory to write to.
    public func byteCountBound(of head: borrowing RequestHead, facts: borrowing ForwardedFacts) -> Int {
        var bound = head.byteCount + Int(head.host.count + head.port.count) + facts.byteCount
        bound += publicProto.count + (hostOverride?.count ?? 0) + (via?.count ?? 0)
        // The names and line ends of all that may be added, and two bytes per field that lacked its space.
        return bound + 320 + 2 * head.fields.count
    }
}

/// What one request tells the session besides its own head; borrowed for the time of writing it.
public struct ForwardedFacts: ~Copyable {
    /// Becomes X-Forwarded-For; left out if empty.
    public let clientAddress: UnsafeRawBufferPointer
    /// Becomes X-Request-Id; left out if empty.
    public let requestID: UnsafeRawBufferPointer
    /// The complete Authorization value for the session; the browser's own never passes.
    public let authorization: [UInt8]?
    /// The X-Forwarded-User to send, if sessions are told who is there.
    public let user: [UInt8]?

    public init(
        clientAddress: UnsafeRawBufferPointer, requestID: UnsafeRawBufferPointer, authorization: [UInt8]? = nil,
        user: [UInt8]? = nil
    ) {
        self.clientAddress = clientAddress
        self.requestID = requestID
        self.authorization = authorization
        self.user = user
    }

    var byteCount: Int {
        clientAddress.count + requestID.count + (authorization?.count ?? 0) + (user?.count ?? 0)
    }
}
