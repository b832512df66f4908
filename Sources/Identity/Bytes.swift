import HTTPWire

/// Comparisons of bytes without regard to the case of ASCII letters, without allocating.
enum Bytes {
    /// The lower-case form of an ASCII letter; any other byte unchanged.
    @inline(__always)
    static func lowered(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }

    /// Whether the bytes spell the name, which is lower-case already.
    @inline(__always)
    static func equal(_ bytes: UnsafeRawBufferPointer, _ lowerCased: [UInt8]) -> Bool {
        lowerCased.withUnsafeBytes { bytes.equalsIgnoringCase($0) }
    }

    /// Whether the part of the bytes spells the name, which is lower-case already.
    @inline(__always)
    static func equal(_ bytes: UnsafeRawBufferPointer, _ part: Range<Int>, _ lowerCased: [UInt8]) -> Bool {
        guard part.upperBound <= bytes.count else { return false }
        return equal(UnsafeRawBufferPointer(rebasing: bytes[part]), lowerCased)
    }

    /// Whether the bytes spell the name, which is lower-case already.
    @inline(__always)
    static func equal(_ bytes: UnsafeRawBufferPointer, _ lowerCased: StaticString) -> Bool {
        bytes.equalsIgnoringCase(
            UnsafeRawBufferPointer(start: lowerCased.utf8Start, count: lowerCased.utf8CodeUnitCount))
    }
}
