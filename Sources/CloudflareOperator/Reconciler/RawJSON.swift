internal import FoundationEssentials

/// A JSON value as the very text it was read from, so that what is not understood goes back byte for byte.
///
/// Numbers, member order, escapes and white space inside survive; a decoder and an encoder would change all four.
package struct RawJSON: Hashable, Sendable {
    /// The value's text, valid JSON (RFC 8259), without white space around it.
    package let bytes: [UInt8]

    /// Why a text is not taken.
    package enum Problem: Error, Hashable, Sendable {
        case malformed(offset: Int)
        case tooDeep
    }

    /// Deeper than any configuration.
    static let maximumDepth = 64

    /// Takes exactly one value.
    package init(_ bytes: [UInt8]) throws(Problem) {
        var scanner = RawJSONScanner(bytes)
        scanner.skipSpace()
        let start = scanner.index
        try scanner.value(depth: 0)
        let end = scanner.index
        scanner.skipSpace()
        guard scanner.index == bytes.count else { throw .malformed(offset: scanner.index) }
        self.bytes = Array(bytes[start..<end])
    }

    private init(checked bytes: ArraySlice<UInt8>) { self.bytes = Array(bytes) }

    /// The members of an object in their order; nil for everything else.
    package var members: [(name: String, value: RawJSON)]? {
        guard bytes.first == UInt8(ascii: "{") else { return nil }
        var found: [(name: String, value: RawJSON)] = []
        var scanner = RawJSONScanner(bytes)
        scanner.index = 1
        scanner.skipSpace()
        while scanner.index < bytes.count, bytes[scanner.index] != UInt8(ascii: "}") {
            guard let name = Self.next(&scanner, bytes)?.string else { return nil }
            scanner.skipSeparator()
            guard let value = Self.next(&scanner, bytes) else { return nil }
            found.append((name, value))
            scanner.skipSeparator()
        }
        return found
    }

    /// The elements of an array; nil for everything else.
    package var elements: [RawJSON]? {
        guard bytes.first == UInt8(ascii: "[") else { return nil }
        var found: [RawJSON] = []
        var scanner = RawJSONScanner(bytes)
        scanner.index = 1
        scanner.skipSpace()
        while scanner.index < bytes.count, bytes[scanner.index] != UInt8(ascii: "]") {
            guard let element = Self.next(&scanner, bytes) else { return nil }
            found.append(element)
            scanner.skipSeparator()
        }
        return found
    }

    /// The value of the one member with this name; nil if there is none, or several.
    package subscript(_ name: String) -> RawJSON? {
        let found = members?.filter { $0.name == name } ?? []
        return found.count == 1 ? found[0].value : nil
    }

    /// The text of a string; nil for everything else.
    package var string: String? {
        guard bytes.first == UInt8(ascii: "\"") else { return nil }
        return try? JSONDecoder().decode(String.self, from: Data(bytes))
    }

    /// A whole number; nil for everything else.
    package var integer: Int? { Int(text) }

    package var isNull: Bool { text == "null" }

    /// The value as it was written.
    package var text: String { String(decoding: bytes, as: UTF8.self) }

    /// A text as JSON writes it.
    package static func quoted(_ text: String) -> String {
        // An array, because a bare string was no document before RFC 7159.
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        guard let data = try? encoder.encode([text]) else { return "\"\"" }
        return String(decoding: data.dropFirst().dropLast(), as: UTF8.self)
    }

    private static func next(_ scanner: inout RawJSONScanner, _ bytes: [UInt8]) -> RawJSON? {
        let start = scanner.index
        do throws(Problem) { try scanner.value(depth: 0) } catch { return nil }
        return RawJSON(checked: bytes[start..<scanner.index])
    }
}

/// Walks over JSON text and checks its grammar.
private struct RawJSONScanner {
    private let bytes: [UInt8]
    var index = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    private var byte: UInt8? { index < bytes.count ? bytes[index] : nil }
    private var failure: RawJSON.Problem { .malformed(offset: index) }

    mutating func skipSpace() {
        while let byte, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { index += 1 }
    }

    /// White space, one comma or colon, white space; only in text that was checked.
    mutating func skipSeparator() {
        skipSpace()
        if byte == UInt8(ascii: ",") || byte == UInt8(ascii: ":") { index += 1 }
        skipSpace()
    }

    mutating func value(depth: Int) throws(RawJSON.Problem) {
        guard depth < RawJSON.maximumDepth else { throw .tooDeep }
        switch byte {
        case UInt8(ascii: "{"): try list(closedBy: UInt8(ascii: "}"), depth, named: true)
        case UInt8(ascii: "["): try list(closedBy: UInt8(ascii: "]"), depth, named: false)
        case UInt8(ascii: "\""): try string()
        case UInt8(ascii: "t"): try word("true")
        case UInt8(ascii: "f"): try word("false")
        case UInt8(ascii: "n"): try word("null")
        default: try number()
        }
    }

    private mutating func list(closedBy end: UInt8, _ depth: Int, named: Bool) throws(RawJSON.Problem) {
        index += 1
        skipSpace()
        if byte == end {
            index += 1
            return
        }
        while true {
            if named {
                guard byte == UInt8(ascii: "\"") else { throw failure }
                try string()
                skipSpace()
                guard byte == UInt8(ascii: ":") else { throw failure }
                index += 1
                skipSpace()
            }
            try value(depth: depth + 1)
            skipSpace()
            guard let byte, byte == end || byte == UInt8(ascii: ",") else { throw failure }
            index += 1
            if byte == end { return }
            skipSpace()
        }
    }

    private mutating func string() throws(RawJSON.Problem) {
        index += 1
        while let byte {
            index += 1
            switch byte {
            case UInt8(ascii: "\""): return
            case UInt8(ascii: "\\"): try escape()
            case 0..<0x20: throw failure
            default: break
            }
        }
        throw failure
    }

    private mutating func escape() throws(RawJSON.Problem) {
        guard let byte, Array("\"\\/bfnrtu".utf8).contains(byte) else { throw failure }
        index += 1
        guard byte == UInt8(ascii: "u") else { return }
        for _ in 0..<4 {
            guard let digit = self.byte, Array("0123456789abcdefABCDEF".utf8).contains(digit) else { throw failure }
            index += 1
        }
    }

    private mutating func word(_ word: String) throws(RawJSON.Problem) {
        guard bytes[index...].starts(with: word.utf8) else { throw failure }
        index += word.utf8.count
    }

    private mutating func number() throws(RawJSON.Problem) {
        if byte == UInt8(ascii: "-") { index += 1 }
        if byte == UInt8(ascii: "0") { index += 1 } else { try digits() }
        if byte == UInt8(ascii: ".") {
            index += 1
            try digits()
        }
        if byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E") {
            index += 1
            if byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") { index += 1 }
            try digits()
        }
    }

    private mutating func digits() throws(RawJSON.Problem) {
        let start = index
        while let byte, byte >= 0x30, byte <= 0x39 { index += 1 }
        guard index > start else { throw failure }
    }
}
