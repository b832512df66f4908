extension HeadParser {
    /// Reads the head of an answer, interim (1xx) or final.
    ///
    /// `method` is the method of the request answered and `upgradeRequested` whether that request asked for WebSocket:
    /// both decide what follows the head (RFC 9112 §6.3). An answer that claims two lengths, a coding but `chunked`, or
    /// a switch nobody asked for is an error; so is an interim answer that announces a body.
    public static func parse(
        _ bytes: UnsafeRawBufferPointer, into head: inout ResponseHead, answering method: Method,
        upgradeRequested: Bool, limits: HeadLimits = .response
    ) throws(WireError) {
        let span = bytes.bytes
        head.fields.removeAll(keepingCapacity: true)
        head.upgrade = .none

        let lineEnd = try endOfLine(in: span, from: 0)
        guard lineEnd + 2 <= limits.line else { throw .lineTooLong }
        try parseStatusLine(span, lineEnd, into: &head)
        var offset = lineEnd + 2

        let names = FieldNameTable.shared
        var framing = MessageFraming()
        var options = ConnectionOptions()
        var foldable = false
        while let field = try nextField(in: span, at: &offset, names: names, foldable: &foldable) {
            guard head.fields.count < limits.fields else { throw .tooManyFields }
            switch field.known {
            case .contentLength: try framing.addContentLength(span, field.value)
            case .transferEncoding: try framing.addTransferEncoding(span, field.value)
            case .connection: try options.addConnection(span, field.value, isRequest: false)
            case .upgrade where head.status == 101: try options.addUpgrade(span, field.value)
            default: break
            }
            head.fields.append(field)
        }
        guard offset <= limits.head else { throw .headTooLarge }
        head.byteCount = offset

        let announced = try framing.decision(minorVersion: head.minorVersion)
        let announcesBody = announced != nil && announced != BodyFraming.none
        options.markNamedFields(in: &head.fields, span)
        head.declaredLength = framing.length
        head.keepAlive = options.persists(minorVersion: head.minorVersion)
        switch head.status {
        case 101:
            guard upgradeRequested, options.upgrade, options.webSocketProtocols == 1, options.otherProtocols == 0,
                head.minorVersion == 1, !announcesBody
            else { throw .switchedWithoutRequest }
            head.framing = .none
            head.upgrade = .webSocket
            head.keepAlive = false
        case 100..<200:
            // RFC 9110 §8.6, RFC 9112 §6.1: no length, no coding here. What follows must be the next head.
            guard !announcesBody else { throw .conflictingLength }
            head.framing = .none
        case 204:
            head.framing = .none
            // Whatever it announces, nobody will read it.
            if announcesBody { head.keepAlive = false }
        case _ where method == .head || head.status == 304:
            head.framing = .none
        default:
            head.framing = announced ?? .untilClose
            if announced == nil { head.keepAlive = false }
        }
    }

    /// Reads `version SP status [SP [reason]]`; some servers leave out the second space with the reason.
    private static func parseStatusLine(
        _ bytes: RawSpan, _ end: Int, into head: inout ResponseHead
    ) throws(WireError) {
        guard end >= 12, let version = try minorVersion(in: bytes, from: 0, to: 8),
            bytes.byte(8) == ASCII.space
        else { throw .malformedStatusLine }
        head.minorVersion = version
        var status = 0
        for index in 9..<12 {
            let digit = bytes.byte(index) &- UInt8(ascii: "0")
            guard digit <= 9 else { throw .malformedStatusLine }
            status = status * 10 + Int(digit)
        }
        guard (100...599).contains(status) else { throw .malformedStatusLine }
        head.status = status
        if end == 12 {
            head.reason = .empty
        } else {
            guard bytes.byte(12) == ASCII.space else { throw .malformedStatusLine }
            head.reason = ByteRange(start: 13, count: end - 13)
        }
    }
}
