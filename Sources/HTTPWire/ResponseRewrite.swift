/// What an answer becomes on its way to the browser, beyond what no answer keeps.
///
/// One value per kind of host, made once: writing a head with it allocates nothing. Not copyable, for the reason that
/// `RequestRewrite` has.
public struct ResponseRewrite: ~Copyable, Sendable {
    /// A field the gateway adds to final answers.
    public struct AddedField: Sendable {
        /// When the field is added.
        public enum Rule: Sendable {
            /// The session's own field of that name is kept, and then ours is not added.
            case unlessPresent
            /// The session's own field of that name is dropped.
            case replacing
            /// Beside whatever the session sent: Content-Security-Policy fields only ever restrict further.
            case beside
        }
        public var name: FieldName
        /// `name: value` with its CRLF.
        public var line: [UInt8]
        public var rule: Rule

        /// Adds `line`, which ends in CRLF, by this rule; `name` is what the line's name is parsed as.
        public init(_ name: FieldName, line: [UInt8], rule: Rule) {
            self.name = name
            self.line = line
            self.rule = rule
        }
    }

    /// Set-Cookie of names that begin with one of these never leaves a session.
    public var authCookiePrefixes: [[UInt8]] = []
    /// Cookie names of the gateway itself (`__Host-…`), which a session must not set either.
    public var ownCookieNames: [[UInt8]] = []
    /// Fields to add.
    public var addedFields: [AddedField] = [] {
        didSet {
            addedLines = addedFields.flatMap(\.line)
            addedNames = Set(addedFields.map(\.name)).reduce(into: [false]) { names, name in
                names += Array(repeating: false, count: max(0, Int(name.rawValue) + 1 - names.count))
                names[Int(name.rawValue)] = true
            }
        }
    }
    /// The lines of all added fields, for the many answers that have none of their names.
    private(set) var addedLines: [UInt8] = []
    /// By raw value: whether a field of this name is added.
    private var addedNames: [Bool] = []

    /// Whether a field of this name is added, or kept from being doubled.
    @inline(__always)
    func adds(_ name: FieldName) -> Bool {
        let index = Int(name.rawValue)
        return index < addedNames.count && addedNames[index]
    }

    /// Makes a rewrite that adds nothing.
    public init() {}

    /// The rewrite for a session's host: `nosniff`, a referrer policy, an opener policy and an origin of its own, and
    /// framing by the given sources only (`'self' https://code.example.com`).
    public static func session(
        authCookiePrefixes: [[UInt8]], ownCookieNames: [[UInt8]] = [], frameAncestors: [UInt8] = Array("'self'".utf8)
    ) -> ResponseRewrite {
        var rewrite = ResponseRewrite()
        rewrite.authCookiePrefixes = authCookiePrefixes
        rewrite.ownCookieNames = ownCookieNames
        let policy = Array("Content-Security-Policy: frame-ancestors ".utf8) + frameAncestors + [13, 10]
        rewrite.addedFields = [
            AddedField(
                .xContentTypeOptions, line: Array("X-Content-Type-Options: nosniff\r\n".utf8), rule: .replacing),
            AddedField(.referrerPolicy, line: Array("Referrer-Policy: same-origin\r\n".utf8), rule: .unlessPresent),
            AddedField(.contentSecurityPolicy, line: policy, rule: .beside),
            // Windows a session opens for a sign-in elsewhere must be able to answer it.
            AddedField(
                .crossOriginOpenerPolicy,
                line: Array("Cross-Origin-Opener-Policy: same-origin-allow-popups\r\n".utf8), rule: .unlessPresent),
            AddedField(.originAgentCluster, line: Array("Origin-Agent-Cluster: ?1\r\n".utf8), rule: .replacing),
        ]
        return rewrite
    }

    /// An upper bound of the head's size once rewritten, for choosing the memory to write to.
    public func byteCountBound(of head: borrowing ResponseHead, requestIDCount: Int) -> Int {
        head.byteCount + requestIDCount + addedLines.count + 260 + 2 * head.fields.count
    }
}

/// How the gateway delimits an answer towards one client: the decision, as plain values.
public struct ResponseDelivery: Equatable, Sendable {
    /// The framing the client sees.
    public var framing: BodyFraming
    /// Whether the client's connection lives on after this answer.
    public var keepAlive: Bool
    /// 0 or 1: the version the client spoke.
    public var clientMinorVersion: UInt8

    /// Sets all three by hand.
    public init(framing: BodyFraming, keepAlive: Bool, clientMinorVersion: UInt8 = 1) {
        self.framing = framing
        self.keepAlive = keepAlive
        self.clientMinorVersion = clientMinorVersion
    }

    /// How to deliver an answer as parsed to the client of `request`; `mayKeepAlive` is false while draining.
    ///
    /// An HTTP/1.0 client cannot read chunks, so it gets the payload up to the close. An answer without a length
    /// stays one.
    public init(of response: borrowing ResponseHead, to request: borrowing RequestHead, mayKeepAlive: Bool = true) {
        clientMinorVersion = request.minorVersion
        framing = response.framing
        if framing == .chunked, request.minorVersion == 0 { framing = .untilClose }
        keepAlive = request.keepAlive && mayKeepAlive && framing != .untilClose && response.upgrade == .none
    }
}
