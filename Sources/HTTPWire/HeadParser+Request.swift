extension HeadParser {
    /// Reads a request head.
    ///
    /// `bytes` begins with the head, perhaps with one empty line before it; without the head's end it is `incompleteHead`.
    /// The target may hold any printable ASCII byte but `#`; escapes in its path must be well-formed and not `%00`,
    /// those in its query are the session's business (browsers send a lone `%` there). `Upgrade` to anything but
    /// WebSocket is ignored, as RFC 9110 §7.8 allows, and never forwarded.
    public static func parse(
        _ bytes: UnsafeRawBufferPointer, into head: inout RequestHead, limits: HeadLimits = .request
    ) throws(WireError) {
        let span = bytes.bytes
        head.fields.removeAll(keepingCapacity: true)
        head.hasFoldableNames = false
        head.declaredLength = nil
        head.expectsContinue = false
        head.upgrade = .none

        var offset = 0
        if span.byteCount >= 2, span.byte(0) == ASCII.carriageReturn, span.byte(1) == ASCII.lineFeed { offset = 2 }
        let lineEnd = try endOfLine(in: span, from: offset)
        guard lineEnd + 2 - offset <= limits.line else {
            throw HeadScanner.refusal(ofLongLine: span, from: offset, limit: limits.line)
        }
        let targetAuthority = try parseRequestLine(span, offset, lineEnd, into: &head)
        offset = lineEnd + 2

        let names = FieldNameTable.shared
        var framing = MessageFraming()
        var options = ConnectionOptions()
        var host: ByteRange?
        while let field = try nextField(in: span, at: &offset, names: names, foldable: &head.hasFoldableNames) {
            guard head.fields.count < limits.fields else { throw .tooManyFields }
            switch field.known {
            case .host:
                guard host == nil else { throw .duplicateHost }
                host = field.value
            case .contentLength: try framing.addContentLength(span, field.value)
            case .transferEncoding: try framing.addTransferEncoding(span, field.value)
            case .connection: try options.addConnection(span, field.value, isRequest: true)
            case .upgrade: try options.addUpgrade(span, field.value)
            case .expect:
                guard span.equals("100-continue", at: Int(field.value.start), count: Int(field.value.count)) else {
                    throw .unknownExpectation
                }
                head.expectsContinue = true
            default: break
            }
            head.fields.append(field)
        }
        guard offset <= limits.head else { throw .headTooLarge }
        head.byteCount = offset

        guard let host else { throw .missingHost }
        let authority = try Authority(span, Int(host.start), Int(host.start) + Int(host.count))
        if let (target, defaultPort) = targetAuthority {
            guard Authority.agree(span, authority, target, defaultPort: defaultPort) else {
                throw .hostTargetMismatch
            }
        }
        head.host = authority.host
        head.port = authority.port

        head.framing = try framing.decision(minorVersion: head.minorVersion) ?? BodyFraming.none
        head.declaredLength = framing.length
        options.markNamedFields(in: &head.fields, span)
        head.keepAlive = options.persists(minorVersion: head.minorVersion)
        // RFC 9110 §10.1.1: an HTTP/1.0 client cannot wait, and without a body there is nothing to wait for.
        if head.minorVersion == 0 || head.framing == .none { head.expectsContinue = false }
        // RFC 9110 §7.8: what HTTP/1.0 says about upgrades is not heard.
        if options.webSocketProtocols > 0, head.minorVersion > 0 { try acceptWebSocket(span, options, &head) }
    }

    /// Refuses a first line that is complete and no request line, before the rest of its head is there.
    ///
    /// Who speaks HTTP/0.9 or something else altogether sends nothing more, and would wait for the head's deadline.
    public static func checkRequestLine(
        _ bytes: UnsafeRawBufferPointer, into head: inout RequestHead
    ) throws(WireError) {
        let span = bytes.bytes
        var start = 0
        if span.byteCount >= 2, span.byte(0) == ASCII.carriageReturn, span.byte(1) == ASCII.lineFeed { start = 2 }
        let end = span.first(ASCII.carriageReturn, from: start, to: span.byteCount)
        guard end + 1 < span.byteCount else { return }
        _ = try parseRequestLine(span, start, end, into: &head)
    }

    /// Reads `method SP target SP version`; returns the authority of an absolute-form target and its default port.
    private static func parseRequestLine(
        _ bytes: RawSpan, _ start: Int, _ end: Int, into head: inout RequestHead
    ) throws(WireError) -> (Authority, Int)? {
        guard start < end else { throw .malformedRequestLine }
        let methodEnd = bytes.first(ASCII.space, from: start, to: end)
        guard methodEnd > start else { throw .malformedRequestLine }
        // Every method ever registered is in capitals, and other servers know no others either; `xGET` is what the end
        // of somebody's misread body looks like in front of a request.
        guard bytes.isAll(.method, start, methodEnd) else { throw .malformedMethod }
        guard methodEnd < end else { throw .malformedRequestLine }
        head.methodText = ByteRange(start: start, count: methodEnd - start)
        head.method = method(in: bytes, start, methodEnd - start)
        // Whatever else these two hold, the answer is no.
        if head.method == .connect { throw .connectRefused }
        if head.method == .trace { throw .traceRefused }

        let target = methodEnd + 1
        let targetEnd = bytes.first(ASCII.space, from: target, to: end)
        guard targetEnd > target else { throw .malformedRequestLine }
        guard targetEnd < end else { throw .http09 }
        if end - targetEnd == 9, bytes.spells("PRI * HTTP/2.0", at: start, count: end - start) { throw .http2Preface }
        guard let version = try minorVersion(in: bytes, from: targetEnd + 1, to: end) else {
            throw .malformedRequestLine
        }
        head.minorVersion = version
        // `endOfLine` let tabs pass.
        guard bytes.first(ASCII.tab, from: target, to: targetEnd) == targetEnd else { throw .malformedTarget }

        switch bytes.byte(target) {
        case UInt8(ascii: "/"):
            try parsePath(bytes, target, targetEnd, into: &head)
            return nil
        case UInt8(ascii: "*"):
            guard targetEnd - target == 1, head.method == .options else { throw .malformedTarget }
            head.target = ByteRange(start: target, count: 1)
            head.path = head.target
            head.query = .empty
            return nil
        default:
            return try parseAbsoluteForm(bytes, target, targetEnd, into: &head)
        }
    }

    /// Reads `http://authority/path?query`, of which the path and query become the target.
    private static func parseAbsoluteForm(
        _ bytes: RawSpan, _ start: Int, _ end: Int, into head: inout RequestHead
    ) throws(WireError) -> (Authority, Int) {
        let authority: Int
        let defaultPort: Int
        if bytes.hasPrefix("http://", at: start, count: end - start) {
            (authority, defaultPort) = (start + 7, 80)
        } else if bytes.hasPrefix("https://", at: start, count: end - start) {
            (authority, defaultPort) = (start + 8, 443)
        } else {
            throw .malformedTarget
        }
        let path = bytes.first(UInt8(ascii: "/"), from: authority, to: end)
        let parsed = try Authority(bytes, authority, path)
        if path < end {
            try parsePath(bytes, path, end, into: &head)
        } else {
            // An empty path means `/`: the last slash before the authority is one. (An authority cannot hold `?`.)
            try parsePath(bytes, authority - 1, authority, into: &head)
        }
        return (parsed, defaultPort)
    }

    /// Checks `start..<end` as path and query and stores them.
    private static func parsePath(
        _ bytes: RawSpan, _ start: Int, _ end: Int, into head: inout RequestHead
    ) throws(WireError) {
        var question = end
        var mark = bytes.firstTargetMark(from: start, to: end)
        while mark < end {
            switch bytes.byte(mark) {
            case UInt8(ascii: "?"):
                if question == end { question = mark }
            case UInt8(ascii: "%"):
                guard question == end else { break }
                guard mark + 2 < end, bytes.isAll(.hexadecimal, mark + 1, mark + 3),
                    !bytes.spells("00", at: mark + 1, count: 2)
                else { throw .malformedTarget }
            default: throw .malformedTarget
            }
            mark = bytes.firstTargetMark(from: mark + 1, to: end)
        }
        head.target = ByteRange(start: start, count: end - start)
        head.path = ByteRange(start: start, count: question - start)
        head.query = question < end ? ByteRange(start: question + 1, count: end - question - 1) : .empty
    }

    /// Methods are case-sensitive (RFC 9110 §9.1).
    @inline(__always)
    private static func method(in bytes: RawSpan, _ start: Int, _ count: Int) -> Method {
        switch count {
        case 3:
            if bytes.spells("GET", at: start, count: 3) { return .get }
            if bytes.spells("PUT", at: start, count: 3) { return .put }
        case 4:
            if bytes.spells("POST", at: start, count: 4) { return .post }
            if bytes.spells("HEAD", at: start, count: 4) { return .head }
        case 5:
            if bytes.spells("PATCH", at: start, count: 5) { return .patch }
            if bytes.spells("TRACE", at: start, count: 5) { return .trace }
        case 6:
            if bytes.spells("DELETE", at: start, count: 6) { return .delete }
        case 7:
            if bytes.spells("OPTIONS", at: start, count: 7) { return .options }
            if bytes.spells("CONNECT", at: start, count: 7) { return .connect }
        default: break
        }
        return .other
    }

    /// A request that says `websocket` is a whole and unambiguous handshake (RFC 6455 §4.1) or is refused.
    private static func acceptWebSocket(
        _ bytes: RawSpan, _ options: ConnectionOptions, _ head: inout RequestHead
    ) throws(WireError) {
        guard options.upgrade, options.webSocketProtocols == 1, options.otherProtocols == 0, head.method == .get,
            bytes.byte(Int(head.target.start)) == UInt8(ascii: "/")
        else { throw .malformedUpgrade }
        guard head.framing == .none else { throw .upgradeWithBody }
        var keys = 0
        var versions = 0
        for field in head.fields where field.known == .secWebSocket {
            let value = Int(field.value.start)
            if bytes.equals("sec-websocket-key", at: Int(field.name.start), count: Int(field.name.count)) {
                // Sixteen bytes in base64.
                guard field.value.count == 24, bytes.isAll(.base64, value, value + 22),
                    bytes.spells("==", at: value + 22, count: 2)
                else { throw .malformedUpgrade }
                keys += 1
            } else if bytes.equals("sec-websocket-version", at: Int(field.name.start), count: Int(field.name.count)) {
                // Another version than 13 is the session's to refuse: its 426 says which it knows.
                guard !field.value.isEmpty else { throw .malformedUpgrade }
                versions += 1
            }
        }
        guard keys == 1, versions == 1 else { throw .malformedUpgrade }
        head.upgrade = .webSocket
    }
}
