extension HeadWriter {
    /// Writes the head that a browser receives for a session's answer, interim or final.
    ///
    /// `buffer` is what the head was parsed from. An interim answer keeps its fields and gets none; a 101 keeps its
    /// Sec-WebSocket-* fields only. `date` becomes the Date of a final answer, which then has none; empty adds none. Check
    /// `writer.overflowed` afterwards.
    public static func write(
        response head: borrowing ResponseHead, from buffer: UnsafeRawBufferPointer, rewrite: borrowing ResponseRewrite,
        delivery: ResponseDelivery, requestID: UnsafeRawBufferPointer, date: [UInt8] = [], into writer: inout ByteWriter
    ) {
        writer.append("HTTP/1.1 ")
        writer.append(decimal: UInt64(head.status))
        writer.append(" ")
        writer.append(head.reason.bytes(in: buffer))
        writer.append("\r\n")
        let bytes = buffer.bytes
        var run = Run()
        if head.upgrade == .webSocket {
            for field in head.fields where field.known == .secWebSocket {
                run.add(field, from: buffer, bytes, into: &writer)
            }
            run.flush(from: buffer, into: &writer)
            writer.append("Connection: Upgrade\r\nUpgrade: websocket\r\n")
            if requestID.count > 0 { writer.append(field: "X-Request-Id", requestID) }
            writer.append("\r\n")
            return
        }

        let isFinal = head.status >= 200
        // One bit per added field: set when the session sent that field itself.
        var present: UInt64 = 0
        fields: for position in 0..<head.fields.count {
            let field = head.fields[position]
            guard passes(field.known, status: head.status, hasRequestID: requestID.count > 0) else { continue }
            if field.known == .setCookie {
                run.flush(from: buffer, into: &writer)
                Cookies.write(setCookie: field.value, from: buffer, rewrite: rewrite, into: &writer)
                continue
            }
            if isFinal, rewrite.adds(field.known) {
                for (index, added) in rewrite.addedFields.enumerated() where added.name == field.known {
                    present |= 1 << UInt64(index & 63)
                    if added.rule == .replacing { continue fields }
                }
            }
            run.add(field, from: buffer, bytes, into: &writer)
        }
        run.flush(from: buffer, into: &writer)
        if isFinal {
            writeFraming(head, delivery, into: &writer)
            if !date.isEmpty {
                writer.append("Date: ")
                writer.append(date)
                writer.append("\r\n")
            }
            if present == 0 {
                writer.append(rewrite.addedLines)
            } else {
                for (index, added) in rewrite.addedFields.enumerated() {
                    if added.rule == .unlessPresent, present >> UInt64(index & 63) & 1 == 1 { continue }
                    writer.append(added.line)
                }
            }
            if requestID.count > 0 { writer.append(field: "X-Request-Id", requestID) }
        }
        writer.append("\r\n")
    }

    /// Writes the fields that delimit the answer and say whether the connection goes on.
    private static func writeFraming(
        _ head: borrowing ResponseHead, _ delivery: ResponseDelivery, into writer: inout ByteWriter
    ) {
        switch delivery.framing {
        case .length(let length): writeContentLength(length, into: &writer)
        case .chunked: writer.append("Transfer-Encoding: chunked\r\n")
        case .none:
            // HEAD and 304 tell the length of what they do not carry; 204 may not (RFC 9110 §8.6).
            if head.status != 204, let length = head.declaredLength { writeContentLength(length, into: &writer) }
        case .untilClose: break
        }
        // A 426 says to what (RFC 9110 §15.5.22), and through here there is one thing.
        if head.status == 426 { writer.append("Upgrade: websocket\r\nConnection: Upgrade\r\n") }
        if !delivery.keepAlive {
            writer.append("Connection: close\r\n")
        } else if delivery.clientMinorVersion == 0 {
            writer.append("Connection: keep-alive\r\n")
        }
    }

    private static func writeContentLength(_ length: UInt64, into writer: inout ByteWriter) {
        writer.append("Content-Length: ")
        writer.append(decimal: length)
        writer.append("\r\n")
    }

    /// Whether a session's field reaches the browser.
    @inline(__always)
    private static func passes(_ name: FieldName, status: Int, hasRequestID: Bool) -> Bool {
        switch name {
        // Written anew.
        case .contentLength, .transferEncoding, .connection, .upgrade: false
        // For this hop only.
        case .keepAlive, .te, .trailer, .http2Settings, .hopByHop, .proxyConnection, .proxyAuthenticate,
            .proxyAuthorization, .proxyOther:
            false
        // What an oauth2-proxy or the gateway says, not a session.
        case .xAuthRequest, .gap, .xForwarded, .xAdmin, .xPod: false
        // These act beyond the one answer: on the whole host, its siblings, or the time after the session.
        case .clearSiteData, .altSvc, .strictTransportSecurity, .serviceWorkerAllowed, .publicKeyPins, .nel,
            .reportTo:
            false
        // A page of the same origin needs no permission, and no other origin gets one.
        case .accessControlAllowCredentials: false
        // Which versions the session knows (RFC 6455 §4.4).
        case .secWebSocket: status == 426
        case .xRequestID: !hasRequestID
        default: true
        }
    }
}
