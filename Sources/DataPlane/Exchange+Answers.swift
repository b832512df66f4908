internal import Assets
internal import HTTPWire
internal import LinuxIO
internal import Routing
internal import Telemetry

/// Answers that the gateway gives itself: files, refusals, and the pages of sessions that are not running.
extension Exchange {
    /// Room that the fields of one of our own heads need at most, beside what is passed in.
    private static let headRoom = 1 << 10

    /// Appends one of our own heads; `body` follows it unless the request is a HEAD.
    func writeHead(
        status: Int, contentType: StaticString?, length: Int?, keepAlive: Bool,
        fields: [(name: String, value: String)] = []
    ) {
        let buffer = output()
        let extra = fields.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + 4 }
        while buffer.room.count < Self.headRoom + extra, buffer.grow(limit: 64 << 10) {}
        worker.clock.update()
        var writer = ByteWriter(buffer.room)
        writer.append("HTTP/1.1 ")
        writer.append(decimal: UInt64(status))
        writer.append(" ")
        writer.append(ReasonPhrase.of(status))
        writer.append("\r\n")
        if let contentType {
            writer.append("Content-Type: ")
            writer.append(contentType)
            writer.append("\r\n")
        }
        for field in fields {
            writer.append(Array(field.name.utf8))
            writer.append(": ")
            writer.append(Array(field.value.utf8))
            writer.append("\r\n")
        }
        if status == 401, !fields.contains(where: { $0.name == "WWW-Authenticate" }) {
            // A 401 says what it asks for (RFC 9110 §11.6.1): here a sign-in that happens at the ingress. No browser knows
            // the scheme, so none opens a window of its own.
            writer.append("WWW-Authenticate: Forward-Auth realm=\"opencode-router\"\r\n")
        }
        if let length {
            writer.append("Content-Length: ")
            writer.append(decimal: UInt64(length))
            writer.append("\r\n")
        }
        writeCommonFields(keepAlive: keepAlive, into: &writer)
        precondition(!writer.overflowed, "a head of our own is bounded")
        buffer.produced(writer.count)
        self.status = status
    }

    /// Date, Connection, X-Request-Id and the empty line.
    private func writeCommonFields(keepAlive: Bool, into writer: inout ByteWriter) {
        writer.append("Date: ")
        writer.append(worker.clock.date)
        writer.append("\r\n")
        if !keepAlive {
            writer.append("Connection: close\r\n")
        } else if request.minorVersion == 0 {
            writer.append("Connection: keep-alive\r\n")
        }
        requestID.withBytes { writer.append(field: "X-Request-Id", $0) }
        writer.append("\r\n")
    }

    // MARK: Files

    /// Serves a file of the site.
    func serveAsset(on connection: Connection) async -> Ending {
        // `OPTIONS *` is about the server and not about a file of it (RFC 9110 §9.3.7).
        if request.method == .options, request.path.bytes(in: connection.input!.bytes).first == UInt8(ascii: "*") {
            return await answerOptions(on: connection)
        }
        let answer = worker.settings.assets.response(to: request, in: connection.input!.bytes)
        let ending = ending(afterUnreadBody: request.framing, on: connection)
        let buffer = output()
        worker.clock.update()
        while buffer.room.count < answer.headCount + 256, buffer.grow(limit: 64 << 10) {}
        buffer.produced(answer.copyHead(into: buffer.room))
        var writer = ByteWriter(buffer.room)
        writeCommonFields(keepAlive: ending == .keepAlive, into: &writer)
        buffer.produced(writer.count)
        status = answer.status
        answeredAt = ClockText.microseconds()
        worker.telemetry.bytes(.toClient, .memory, answer.body.count)
        // Head and body in one call; what does not fit goes on from the catalogue's memory.
        var sent = 0
        switch connection.stream.send(buffer.bytes, answer.body) {
        case .moved(let count):
            let ofHead = min(count, buffer.count)
            buffer.consume(ofHead)
            sent = count - ofHead
        case .wouldBlock, .endOfStream: break
        case .failed: return .abort
        }
        let rest = UnsafeRawBufferPointer(rebasing: answer.body[sent...])
        guard !buffer.isEmpty || !rest.isEmpty else { return ending }
        // The files may be read anew while the client takes its time.
        let assets = worker.settings.assets
        defer { withExtendedLifetime(assets) {} }
        guard await flush(to: connection), await send(rest, to: connection) else { return .abort }
        return ending
    }

    // MARK: Refusals

    /// Answers with a refusal, and counts it; machines get JSON, people text.
    func refuse(_ refusal: Refusal, on connection: Connection, isAPI: Bool) async -> Ending {
        if let reason = refusal.reason { worker.telemetry.refusal(reason) }
        var ending = Ending.close
        if refusal.closes {
            if let input = connection.input { input.consume(input.count) }
        } else {
            ending = self.ending(afterUnreadBody: request.framing, on: connection)
        }
        let isForPeople =
            refusal.isText || refusal.closes || refusal.status == 421
            || refusal.status == 401 && refusal.challenge == nil
        let isJSON = isAPI || !isForPeople
        var fields = [("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")]
        if let seconds = refusal.retryAfterSeconds { fields.append(("Retry-After", "\(seconds)")) }
        if let allow = refusal.allow { fields.append(("Allow", allow)) }
        if let challenge = refusal.challenge { fields.append(("WWW-Authenticate", challenge)) }
        let body = Array(
            (isJSON
                ? #"{"error":"\#(JSONText.escaped(refusal.sentence))","code":"\#(refusal.code)"}"#
                : refusal.sentence + "\n").utf8)
        writeHead(
            status: refusal.status,
            contentType: isJSON ? "application/json; charset=utf-8" : "text/plain; charset=utf-8",
            length: body.count, keepAlive: ending == .keepAlive, fields: fields)
        if request.method != .head { _ = body.withUnsafeBytes { output().append($0) } }
        answeredAt = ClockText.microseconds()
        guard await flush(to: connection) else { return .abort }
        return ending
    }

    /// Answers an OPTIONS that is about this server, or may not be forwarded any further: with what gets through here.
    func answerOptions(on connection: Connection) async -> Ending {
        let ending = ending(afterUnreadBody: request.framing, on: connection)
        writeHead(
            status: 204, contentType: nil, length: nil, keepAlive: ending == .keepAlive,
            fields: [("Allow", Refusal.servedMethods), ("Cache-Control", "no-store")])
        answeredAt = ClockText.microseconds()
        guard await flush(to: connection) else { return .abort }
        return ending
    }

    // MARK: Sessions that are not running

    /// A person who navigates gets a page, and a stopped session is woken; everything else gets 503 and wakes nothing.
    func serveWaiting(
        _ session: SessionRoute, email: String, isNavigation: Bool, on connection: Connection
    ) async -> Ending {
        var page = worker.settings.pages.starting
        switch session.condition {
        case .asleep, .stopping:
            guard isNavigation else { break }
            worker.control.wake(session: session.id, for: email, by: "visit", requestID: requestID.text)
        case .starting, .running: break
        case .failed: page = worker.settings.pages.failed
        }
        guard isNavigation else { return await refuse(.notReady(session.condition.name), on: connection, isAPI: true) }
        if case .asleep = session.condition { worker.telemetry.count(.wakeUps) }
        let ending = ending(afterUnreadBody: request.framing, on: connection)
        writeHead(
            status: 503, contentType: "text/html; charset=utf-8", length: page.count, keepAlive: ending == .keepAlive,
            fields: [
                ("Retry-After", "2"), ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"),
                ("Content-Security-Policy", worker.settings.pages.securityPolicy), ("Referrer-Policy", "no-referrer"),
            ])
        answeredAt = ClockText.microseconds()
        guard await flush(to: connection) else { return .abort }
        if request.method != .head {
            guard await send(page, to: connection) else { return .abort }
        }
        return ending
    }

    /// Sends an array's bytes.
    func send(_ bytes: [UInt8], to connection: Connection) async -> Bool {
        var offset = 0
        while offset < bytes.count {
            let buffer = output()
            let count = min(bytes.count - offset, buffer.room.count)
            _ = bytes.withUnsafeBytes { buffer.append(UnsafeRawBufferPointer(rebasing: $0[offset..<offset + count])) }
            offset += count
            guard await flush(to: connection) else { return false }
        }
        return true
    }
}

extension SessionRoute.Condition {
    /// The word for it in an answer.
    var name: StaticString {
        switch self {
        case .asleep: "stopped"
        case .stopping: "stopping"
        case .starting, .running: "starting"
        case .failed: "failed"
        }
    }
}

/// The little JSON that the byte path writes itself.
enum JSONText {
    /// Escapes what a JSON string may not hold (RFC 8259 §7).
    static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
