package import HTTPWire

/// The content codings that the gateway can send (RFC 9110 §8.4.1).
package enum ContentCoding: UInt8, Sendable, CaseIterable {
    case identity, gzip, brotli

    /// The coding's name in Content-Encoding; nil for identity, which is never named there.
    package var name: String? {
        switch self {
        case .identity: nil
        case .gzip: "gzip"
        case .brotli: "br"
        }
    }
}

/// What the Accept-Encoding fields of a request say (RFC 9110 §12.5.3), and the choice that follows.
///
/// Weights are kept in thousandths. An element that cannot be read counts as absent, because a coding nobody asked for is
/// worse than none. Allocates nothing.
package struct AcceptEncoding: Sendable {
    private var isPresent = false
    private var identity: UInt16?
    private var gzip: UInt16?
    private var brotli: UInt16?
    private var any: UInt16?

    /// Without any field: every coding is acceptable, and the gateway sends none.
    package init() {}

    /// The value of one field.
    package init(_ value: UnsafeRawBufferPointer) {
        add(value)
    }

    /// The value of one field as text.
    package init(_ value: String) {
        var copy = value
        copy.withUTF8 { add(UnsafeRawBufferPointer($0)) }
    }

    /// All Accept-Encoding fields of a request.
    package init(_ head: borrowing RequestHead, in buffer: UnsafeRawBufferPointer) {
        for index in 0..<head.fields.count where head.fields[index].known == .acceptEncoding {
            add(head.fields[index].value.bytes(in: buffer))
        }
    }

    /// The coding to send among those at hand; nil when the request refuses all of them, which is a 406.
    ///
    /// The highest weight wins; among equals the smaller coding. Identity that is not named is the last resort.
    package func choose(gzip hasGzip: Bool, brotli hasBrotli: Bool) -> ContentCoding? {
        guard isPresent else { return .identity }
        var best: ContentCoding?
        var weight: UInt16 = 0
        if hasBrotli, let quality = brotli ?? any, quality > weight {
            best = .brotli
            weight = quality
        }
        if hasGzip, let quality = gzip ?? any, quality > weight {
            best = .gzip
            weight = quality
        }
        if let identity {
            return identity > weight ? .identity : best
        }
        return best ?? (any == 0 ? nil : .identity)
    }

    private mutating func add(_ value: UnsafeRawBufferPointer) {
        isPresent = true
        var position = 0
        while position < value.count {
            var end = position
            while end < value.count, value[end] != 0x2c { end += 1 }
            add(element: UnsafeRawBufferPointer(rebasing: value[position..<end]))
            position = end + 1
        }
    }

    /// One `coding [; q=weight]`.
    private mutating func add(element: UnsafeRawBufferPointer) {
        var cursor = 0
        Self.skipSpace(element, &cursor)
        let start = cursor
        while cursor < element.count, element[cursor] != 0x3b, !Self.isSpace(element[cursor]) { cursor += 1 }
        let coding = UnsafeRawBufferPointer(rebasing: element[start..<cursor])
        Self.skipSpace(element, &cursor)
        var weight: UInt16 = 1000
        if cursor < element.count {
            guard element[cursor] == 0x3b else { return }
            cursor += 1
            Self.skipSpace(element, &cursor)
            guard let read = Self.weight(UnsafeRawBufferPointer(rebasing: element[cursor...])) else { return }
            weight = read
        }
        // A coding that is named twice has its first weight.
        if Bytes.equal(coding, "br") {
            brotli = brotli ?? weight
        } else if Bytes.equal(coding, "gzip") || Bytes.equal(coding, "x-gzip") {
            gzip = gzip ?? weight
        } else if Bytes.equal(coding, "identity") {
            identity = identity ?? weight
        } else if Bytes.equal(coding, "*") {
            any = any ?? weight
        }
    }

    /// `q=` and a qvalue (RFC 9110 §12.4.2), spaces behind it allowed; nil for anything else.
    private static func weight(_ text: UnsafeRawBufferPointer) -> UInt16? {
        var count = text.count
        while count > 0, isSpace(text[count - 1]) { count -= 1 }
        guard (3...7).contains(count), text[0] | 0x20 == 0x71, text[1] == 0x3d else { return nil }
        let whole = text[2] &- 0x30
        guard whole <= 1, count == 3 || text[3] == 0x2e else { return nil }
        var value = UInt16(whole) * 1000
        var unit: UInt16 = 100
        var index = 4
        while index < count {
            let digit = text[index] &- 0x30
            guard digit <= 9 else { return nil }
            value += UInt16(digit) * unit
            unit /= 10
            index += 1
        }
        return value <= 1000 ? value : nil
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    private static func skipSpace(_ bytes: UnsafeRawBufferPointer, _ cursor: inout Int) {
        while cursor < bytes.count, isSpace(bytes[cursor]) { cursor += 1 }
    }
}
