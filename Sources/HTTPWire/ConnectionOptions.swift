/// What the Connection and Upgrade fields of one message say (RFC 9110 §7.6.1 and §7.8).
struct ConnectionOptions {
    private(set) var close = false
    private(set) var keepAlive = false
    private(set) var upgrade = false
    /// How many options name a field that the gateway has no rule for; those fields are dropped.
    private(set) var namedFields = 0
    private(set) var webSocketProtocols = 0
    private(set) var otherProtocols = 0

    /// More named fields than this are nobody's honest message; each costs a walk over all fields.
    private static let namedFieldLimit = 16

    /// Takes in one Connection field line. A request may not name a field that the gateway or the session relies on;
    /// an answer may not name the framing.
    mutating func addConnection(_ bytes: RawSpan, _ value: ByteRange, isRequest: Bool) throws(WireError) {
        let start = Int(value.start)
        let count = Int(value.count)
        // What nearly everybody sends.
        if bytes.equals("keep-alive", at: start, count: count) {
            keepAlive = true
            return
        }
        var list = ListCursor(value)
        while let (start, end) = list.next(in: bytes) {
            let count = end - start
            if bytes.equals("close", at: start, count: count) {
                close = true
            } else if bytes.equals("keep-alive", at: start, count: count) {
                keepAlive = true
            } else if bytes.equals("upgrade", at: start, count: count) {
                upgrade = true
            } else {
                guard bytes.isAll(.token, start, end) else { throw .malformedFieldValue }
                let names = FieldNameTable.shared
                let known = names.find(in: bytes, start: start, count: count)
                let name = known ?? names.family(of: bytes, start: start, count: count)
                guard Self.mayBeNamed(name, isRequest: isRequest) else { throw .connectionNamesEndToEndField }
                // Those that the gateway knows, and has no rule for: the key of the ingress, the session's folder.
                if isRequest, known != nil, bytes.hasPrefix("x-", at: start, count: count) {
                    throw .connectionNamesEndToEndField
                }
                namedFields += 1
                guard namedFields <= Self.namedFieldLimit else { throw .malformedFieldValue }
            }
        }
    }

    private static func mayBeNamed(_ name: FieldName, isRequest: Bool) -> Bool {
        switch name {
        case .other, .connection, .keepAlive, .te, .trailer, .upgrade, .http2Settings, .proxyConnection,
            .proxyAuthenticate, .proxyAuthorization, .proxyOther:
            true
        case .host, .contentLength, .transferEncoding: false
        default: !isRequest
        }
    }

    /// Takes in one Upgrade field line.
    mutating func addUpgrade(_ bytes: RawSpan, _ value: ByteRange) throws(WireError) {
        var list = ListCursor(value)
        while let (start, end) = list.next(in: bytes) {
            if bytes.equals("websocket", at: start, count: end - start) {
                webSocketProtocols += 1
            } else {
                otherProtocols += 1
                // `websocket/13` and the like: somebody might take it for WebSocket.
                if bytes.hasPrefix("websocket", at: start, count: end - start) { throw .malformedUpgrade }
            }
        }
    }

    /// Marks the fields that the Connection fields name, so that they end at the gateway.
    func markNamedFields(in fields: inout [Field], _ bytes: RawSpan) {
        guard namedFields > 0 else { return }
        for index in fields.indices where fields[index].known == .connection {
            var list = ListCursor(fields[index].value)
            while let (start, end) = list.next(in: bytes) {
                for other in fields.indices {
                    let name = fields[other].name
                    guard fields[other].known != .connection, Int(name.count) == end - start else { continue }
                    guard Self.equal(bytes, start, Int(name.start), end - start) else { continue }
                    fields[other].known = .hopByHop
                }
            }
        }
    }

    private static func equal(_ bytes: RawSpan, _ one: Int, _ other: Int, _ count: Int) -> Bool {
        for index in 0..<count
        where asciiLowercased(bytes.byte(one + index)) != asciiLowercased(bytes.byte(other + index)) {
            return false
        }
        return true
    }

    /// Whether the connection outlives the message (RFC 9112 §9.3).
    func persists(minorVersion: UInt8) -> Bool {
        !close && (minorVersion >= 1 || keepAlive)
    }
}
