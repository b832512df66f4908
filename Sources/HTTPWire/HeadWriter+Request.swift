extension HeadWriter {
    /// Writes the head that a session receives for a request.
    ///
    /// `buffer` is what the head was parsed from. What the browser sent under the names of `facts`, and everything else
    /// that speaks for a proxy, is dropped. `Forwarded` is dropped, too (it says what X-Forwarded-* says, unproved); `Via`
    /// passes and ours is appended. Check `writer.overflowed` afterwards.
    public static func write(
        request head: borrowing RequestHead, from buffer: UnsafeRawBufferPointer, rewrite: borrowing RequestRewrite,
        facts: borrowing ForwardedFacts, into writer: inout ByteWriter
    ) {
        writer.append(head.methodText.bytes(in: buffer))
        writer.append(" ")
        if rewrite.dropsQueryPassword {
            writeTargetWithoutPassword(head, buffer, into: &writer)
        } else {
            writer.append(head.target.bytes(in: buffer))
        }
        writer.append(" HTTP/1.1\r\nHost: ")
        if let host = rewrite.hostOverride {
            writer.append(host)
        } else {
            writeHost(head, buffer, into: &writer)
        }
        writer.append("\r\n")

        let isWebSocket = head.upgrade == .webSocket
        let bytes = buffer.bytes
        var run = Run()
        // Compared by their lengths first, which tell nearly all fields apart from these two.
        let identityLength = rewrite.identityFieldName.count
        let secretLength = rewrite.secretFieldName?.count ?? -1
        for index in 0..<head.fields.count {
            let field = head.fields[index]
            switch passage(of: field.known, head.method, isWebSocket: isWebSocket) {
            case .drop: continue
            case .filter:
                if rewrite.dropsAllCookies { continue }
                run.flush(from: buffer, into: &writer)
                Cookies.write(
                    cookie: field.value, from: buffer, without: rewrite.authCookiePrefixes, into: &writer)
            case .count:
                run.flush(from: buffer, into: &writer)
                guard let left = RequestHead.forwardsLeft(by: field, in: buffer), left > 0 else { continue }
                writer.append("Max-Forwards: ")
                writer.append(decimal: left - 1)
                writer.append("\r\n")
            case .keep:
                // The page before may have been opened with the password in its address.
                if rewrite.dropsQueryPassword, field.known == .referer { continue }
                let length = Int(field.name.count)
                if length == identityLength, isNamed(field, rewrite.identityFieldName, in: buffer) { continue }
                if length == secretLength, let secret = rewrite.secretFieldName, isNamed(field, secret, in: buffer) {
                    continue
                }
                run.add(field, from: buffer, bytes, into: &writer)
            }
        }
        run.flush(from: buffer, into: &writer)

        switch head.framing {
        case .length(let length):
            writer.append("Content-Length: ")
            writer.append(decimal: length)
            writer.append("\r\n")
        case .chunked: writer.append("Transfer-Encoding: chunked\r\n")
        case .none, .untilClose:
            // A POST without a body says so (RFC 9110 §8.6).
            if head.declaredLength == 0 { writer.append("Content-Length: 0\r\n") }
        }
        if isWebSocket { writer.append("Connection: Upgrade\r\nUpgrade: websocket\r\n") }
        if let authorization = facts.authorization { write("Authorization: ", authorization, into: &writer) }
        if facts.clientAddress.count > 0 { writer.append(field: "X-Forwarded-For", facts.clientAddress) }
        writer.append("X-Forwarded-Host: ")
        writeHost(head, buffer, into: &writer)
        writer.append("\r\n")
        write("X-Forwarded-Proto: ", rewrite.publicProto, into: &writer)
        if let user = facts.user { write("X-Forwarded-User: ", user, into: &writer) }
        if facts.requestID.count > 0 { writer.append(field: "X-Request-Id", facts.requestID) }
        if let via = rewrite.via { write(head.minorVersion == 0 ? "Via: 1.0 " : "Via: 1.1 ", via, into: &writer) }
        writer.append("\r\n")
    }

    private static func write(_ name: StaticString, _ value: [UInt8], into writer: inout ByteWriter) {
        writer.append(name)
        writer.append(value)
        writer.append("\r\n")
    }

    private static func writeHost(
        _ head: borrowing RequestHead, _ buffer: UnsafeRawBufferPointer, into writer: inout ByteWriter
    ) {
        writer.append(head.host.bytes(in: buffer))
        if !head.port.isEmpty {
            writer.append(":")
            writer.append(head.port.bytes(in: buffer))
        }
    }

    /// The target without the parameters that are called exactly `password`.
    private static func writeTargetWithoutPassword(
        _ head: borrowing RequestHead, _ buffer: UnsafeRawBufferPointer, into writer: inout ByteWriter
    ) {
        writer.append(head.path.bytes(in: buffer))
        let bytes = buffer.bytes
        let end = Int(head.query.start) + Int(head.query.count)
        var offset = Int(head.query.start)
        var isFirst = true
        while offset < end {
            let next = bytes.first(UInt8(ascii: "&"), from: offset, to: end)
            let nameEnd = bytes.first(UInt8(ascii: "="), from: offset, to: next)
            if !bytes.spells("password", at: offset, count: nameEnd - offset) {
                writer.append(isFirst ? "?" : "&")
                isFirst = false
                writer.append(UnsafeRawBufferPointer(rebasing: buffer[offset..<next]))
            }
            offset = next + 1
        }
    }

    private enum Passage { case drop, keep, filter, count }

    /// What happens to a browser's field on its way to a session.
    @inline(__always)
    private static func passage(of name: FieldName, _ method: Method, isWebSocket: Bool) -> Passage {
        switch name {
        // Written anew.
        case .host, .contentLength, .transferEncoding, .connection, .upgrade: .drop
        // For this hop only. Expect is answered here; trailers may be dropped on the way.
        case .keepAlive, .te, .trailer, .expect, .http2Settings, .hopByHop, .proxyConnection, .proxyAuthenticate,
            .proxyAuthorization, .proxyOther:
            .drop
        // Who is asking and from where is the gateway's to say.
        case .authorization, .forwarded, .xForwarded, .xRealIP, .xRequestID, .xAuthRequest, .gap, .xAdmin, .xPod,
            .xAttachPassword, .underscored:
            .drop
        // An answer's field: an ingress may be misconfigured so that a renewed login cookie arrives here.
        case .setCookie: .drop
        case .secWebSocket: isWebSocket ? .keep : .drop
        case .cookie: .filter
        // Of OPTIONS only; TRACE never gets here (RFC 9110 §7.6.2).
        case .maxForwards: method == .options ? .count : .keep
        default: .keep
        }
    }
}
