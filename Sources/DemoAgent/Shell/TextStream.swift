/// Makes valid UTF-8 of bytes that come in pieces cut anywhere, as a terminal's output does.
///
/// A character that a piece cuts in two is held back until its rest comes; bytes that are no UTF-8 become U+FFFD.
package struct TextStream: Sendable {
    private var held: [UInt8] = []

    package init() {}

    /// Takes the next piece and returns what is complete.
    package mutating func receive(_ bytes: some Collection<UInt8>) -> [UInt8] {
        var all = held
        all.append(contentsOf: bytes)
        let complete = all.count - Self.incompleteTail(of: all)
        held = Array(all[complete...])
        all.removeLast(all.count - complete)
        if String(validating: all, as: UTF8.self) != nil { return all }
        return Array(String(decoding: all, as: UTF8.self).utf8)
    }

    /// What was held back at the end, repaired.
    package mutating func finish() -> [UInt8] {
        defer { held = [] }
        return Array(String(decoding: held, as: UTF8.self).utf8)
    }

    /// How many bytes at the end may be the beginning of a character whose rest has not come; 0...3.
    static func incompleteTail(of bytes: [UInt8]) -> Int {
        for count in 1...3 where count <= bytes.count {
            let byte = bytes[bytes.count - count]
            if byte & 0xc0 == 0x80 { continue }
            let length =
                switch byte {
                case 0xc2...0xdf: 2
                case 0xe0...0xef: 3
                case 0xf0...0xf4: 4
                default: 1
                }
            return length > count ? count : 0
        }
        return 0
    }
}
