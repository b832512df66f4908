internal import HTTPWire

/// One request as its handler sees it: text, copied out of the connection's buffer.
///
/// Copying is what the byte path of the product avoids; here it keeps the handlers plain.
struct Request: Sendable {
    let method: Method
    let methodText: String
    let target: String
    /// The path's parts, percent-decoded: `/session/abc` is `["session", "abc"]`.
    let segments: [String]
    let query: [String: String]
    let fields: [(name: String, value: String)]
    /// Host and port as the Host field has them.
    let authority: String
    let framing: BodyFraming
    let keepAlive: Bool
    let expectsContinue: Bool
    let isHTTP10: Bool
    let upgrade: Upgrade

    /// Copies a parsed head; nil if the path does not decode to UTF-8.
    init?(_ head: borrowing RequestHead, in buffer: UnsafeRawBufferPointer) {
        method = head.method
        methodText = head.methodText.string(in: buffer)
        target = head.target.string(in: buffer)
        var segments: [String] = []
        for part in head.path.string(in: buffer).split(separator: "/") {
            guard let decoded = percentDecoded(part) else { return nil }
            segments.append(decoded)
        }
        self.segments = segments
        query = Self.query(head.query.string(in: buffer))
        fields = head.fields.map { ($0.name.string(in: buffer).lowercased(), $0.value.string(in: buffer)) }
        let port = head.port.string(in: buffer)
        authority = (head.host.string(in: buffer) + (port.isEmpty ? "" : ":\(port)")).lowercased()
        framing = head.framing
        keepAlive = head.keepAlive
        expectsContinue = head.expectsContinue
        isHTTP10 = head.minorVersion == 0
        upgrade = head.upgrade
    }

    /// The value of a field that comes once; nil without it, and also if it comes twice.
    func field(_ name: String) -> String? {
        let values = fields.lazy.filter { $0.name == name }
        return values.count == 1 ? values.first?.value : nil
    }

    private static func query(_ text: String) -> [String: String] {
        var query: [String: String] = [:]
        for pair in text.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let value = parts.count > 1 ? parts[1] : ""
            guard let name = percentDecoded(parts[0], plusIsSpace: true),
                let decoded = percentDecoded(value, plusIsSpace: true)
            else { continue }
            query[name] = decoded
        }
        return query
    }
}

/// Text without its percent escapes (RFC 3986 §2.1); nil if what they spell is not UTF-8. A lone `%` stays.
func percentDecoded(_ text: some StringProtocol, plusIsSpace: Bool = false) -> String? {
    let source = Array(text.utf8)
    var bytes: [UInt8] = []
    var index = 0
    while index < source.count {
        let byte = source[index]
        if byte == UInt8(ascii: "%"), index + 2 < source.count,
            let high = hexDigit(source[index + 1]), let low = hexDigit(source[index + 2])
        {
            bytes.append(high << 4 | low)
            index += 3
        } else {
            bytes.append(plusIsSpace && byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            index += 1
        }
    }
    return String(validating: bytes, as: UTF8.self)
}

private func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}
