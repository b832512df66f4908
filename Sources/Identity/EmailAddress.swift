/// The e-mail addresses that count as an identity: one `@`, printable ASCII, nothing that could be read in two ways.
enum EmailAddress {
    /// The part of the buffer that is the address, spaces and tabs around it left out; nil when it is none.
    ///
    /// Accepted are RFC 5321's dot-atoms on both sides of one `@`, at most 254 bytes; no quotes, comments, lists or
    /// literals, because proxies in front join several values with commas, and sessions are named after
    /// `address:repository:branch`.
    static func range(in value: UnsafeRawBufferPointer) -> Range<Int>? {
        var start = 0
        var end = value.count
        while start < end, value[start] == 0x20 || value[start] == 0x09 { start += 1 }
        while end > start, value[end - 1] == 0x20 || value[end - 1] == 0x09 { end -= 1 }
        guard (3...254).contains(end - start) else { return nil }
        var at = start
        while at < end, isLocal(value[at]) { at += 1 }
        guard at > start, at < end - 1, value[at] == 0x40 else { return nil }
        for index in (at + 1)..<end where !isDomain(value[index]) { return nil }
        return start..<end
    }

    /// Atext of RFC 5322 §3.2.3, and the dot.
    private static func isLocal(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
        case 0x21, 0x23...0x27, 0x2a, 0x2b, 0x2d, 0x2e, 0x2f, 0x3d, 0x3f, 0x5e, 0x5f, 0x60, 0x7b...0x7e: true
        default: false
        }
    }

    private static func isDomain(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e: true
        default: false
        }
    }
}
