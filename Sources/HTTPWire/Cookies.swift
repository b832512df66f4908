/// Taking single cookies out of Cookie and Set-Cookie fields.
///
/// A separator is a semicolon, quoted or not (RFC 6265 §5.2 knows no quotes): what a reader that honours quotes would
/// see inside a value is looked at as a cookie of its own, so a quote can only make more disappear, never less.
enum Cookies {
    /// Whether a cookie string `name=value` belongs to the gateway.
    ///
    /// A browser stores `=_auth=x` or a bare `_auth` as a nameless cookie, and sends it back looking like the real
    /// one; so empty names are looked through. An empty prefix is nobody's.
    static func isGuarded(
        _ bytes: RawSpan, _ start: Int, _ end: Int, prefixes: [[UInt8]], names: [[UInt8]]
    ) -> Bool {
        var start = start
        while start < end, isBlank(bytes.byte(start)) || bytes.byte(start) == UInt8(ascii: "=") { start += 1 }
        var nameEnd = bytes.first(UInt8(ascii: "="), from: start, to: end)
        while nameEnd > start, isBlank(bytes.byte(nameEnd - 1)) { nameEnd -= 1 }
        for prefix in prefixes where !prefix.isEmpty && nameEnd - start >= prefix.count {
            if matches(bytes, start, prefix) { return true }
        }
        for name in names where nameEnd - start == name.count {
            if matches(bytes, start, name) { return true }
        }
        return false
    }

    @inline(__always)
    private static func isBlank(_ byte: UInt8) -> Bool { byte == ASCII.space || byte == ASCII.tab }

    private static func matches(_ bytes: RawSpan, _ start: Int, _ text: [UInt8]) -> Bool {
        for index in text.indices where asciiLowercased(bytes.byte(start + index)) != asciiLowercased(text[index]) {
            return false
        }
        return true
    }

    /// Writes a Cookie field with what is left of `value`; nothing at all if nothing is left.
    ///
    /// What is written is never longer than what was sent: a separator without a space stays one.
    static func write(
        cookie value: ByteRange, from buffer: UnsafeRawBufferPointer, without prefixes: [[UInt8]],
        into writer: inout ByteWriter
    ) {
        let bytes = buffer.bytes
        let end = Int(value.start) + Int(value.count)
        var offset = Int(value.start)
        var isFirst = true
        while offset < end {
            let semicolon = bytes.first(UInt8(ascii: ";"), from: offset, to: end)
            let pair = bytes.trimmed(offset, semicolon)
            let isSpaced = pair.start > offset
            offset = semicolon + 1
            guard pair.start < pair.end,
                !isGuarded(bytes, pair.start, pair.end, prefixes: prefixes, names: [])
            else { continue }
            writer.append(isFirst ? "Cookie: " : isSpaced ? "; " : ";")
            isFirst = false
            writer.append(UnsafeRawBufferPointer(rebasing: buffer[pair.start..<pair.end]))
        }
        if !isFirst { writer.append("\r\n") }
    }

    /// Writes a Set-Cookie field without its Domain attribute, or nothing if the cookie is not the session's to set.
    static func write(
        setCookie value: ByteRange, from buffer: UnsafeRawBufferPointer, rewrite: borrowing ResponseRewrite,
        into writer: inout ByteWriter
    ) {
        let bytes = buffer.bytes
        let end = Int(value.start) + Int(value.count)
        var offset = bytes.first(UInt8(ascii: ";"), from: Int(value.start), to: end)
        guard
            !isGuarded(
                bytes, Int(value.start), offset, prefixes: rewrite.authCookiePrefixes, names: rewrite.ownCookieNames)
        else { return }
        writer.append("Set-Cookie: ")
        var pending = Int(value.start)
        while offset < end {
            let next = bytes.first(UInt8(ascii: ";"), from: offset + 1, to: end)
            let attribute = bytes.trimmed(offset + 1, next)
            let equals = bytes.first(UInt8(ascii: "="), from: attribute.start, to: attribute.end)
            let name = bytes.trimmed(attribute.start, equals)
            if bytes.equals("domain", at: name.start, count: name.end - name.start) {
                // Without the blanks in front of it, which would end the value if nothing follows.
                let kept = bytes.trimmed(pending, offset).end
                writer.append(UnsafeRawBufferPointer(rebasing: buffer[pending..<kept]))
                pending = next
            }
            offset = next
        }
        writer.append(UnsafeRawBufferPointer(rebasing: buffer[pending..<end]))
        writer.append("\r\n")
    }
}
