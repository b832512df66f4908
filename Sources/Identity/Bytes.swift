/// Comparisons of bytes without regard to the case of ASCII letters, without allocating.
enum Bytes {
    /// The lower-case form of an ASCII letter; any other byte unchanged.
    @inline(__always)
    static func lowered(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }

    /// Whether the bytes spell the name, which is lower-case already.
    @inline(__always)
    static func equal(_ bytes: UnsafeRawBufferPointer, _ lowerCased: [UInt8]) -> Bool {
        equal(bytes, 0..<bytes.count, lowerCased)
    }

    /// Whether the part of the bytes spells the name, which is lower-case already.
    @inline(__always)
    static func equal(_ bytes: UnsafeRawBufferPointer, _ part: Range<Int>, _ lowerCased: [UInt8]) -> Bool {
        guard part.count == lowerCased.count, part.upperBound <= bytes.count else { return false }
        for index in 0..<lowerCased.count where lowered(bytes[part.lowerBound + index]) != lowerCased[index] {
            return false
        }
        return true
    }

    /// Whether the bytes spell the name, which is lower-case already.
    @inline(__always)
    static func equal(_ bytes: UnsafeRawBufferPointer, _ lowerCased: StaticString) -> Bool {
        guard bytes.count == lowerCased.utf8CodeUnitCount else { return false }
        let name = lowerCased.utf8Start
        for index in 0..<bytes.count where lowered(bytes[index]) != name[index] { return false }
        return true
    }
}
