/// Comparisons of bytes without allocating.
enum Bytes {
    /// Whether the bytes spell the name without regard to case; the name is lower-case.
    @inline(__always)
    static func equal(_ bytes: UnsafeRawBufferPointer, _ lowerCased: StaticString) -> Bool {
        guard bytes.count == lowerCased.utf8CodeUnitCount else { return false }
        let name = lowerCased.utf8Start
        for index in 0..<bytes.count {
            let byte = bytes[index]
            guard (byte &- 0x41 < 26 ? byte | 0x20 : byte) == name[index] else { return false }
        }
        return true
    }

    /// Whether the bytes are exactly this text.
    @inline(__always)
    static func same(_ bytes: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
        guard bytes.count == text.utf8CodeUnitCount else { return false }
        for index in 0..<bytes.count where bytes[index] != text.utf8Start[index] { return false }
        return true
    }

    /// The order of the bytes as numbers, a prefix before what it begins: negative, zero or positive.
    static func compare(_ one: UnsafeRawBufferPointer, _ other: UnsafeRawBufferPointer) -> Int {
        let shared = min(one.count, other.count)
        for index in 0..<shared where one[index] != other[index] { return Int(one[index]) - Int(other[index]) }
        return one.count - other.count
    }

    /// The value of a hexadecimal digit; nil for any other byte.
    static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte &- 0x30
        case 0x41...0x46: byte &- 0x41 &+ 10
        case 0x61...0x66: byte &- 0x61 &+ 10
        default: nil
        }
    }
}
