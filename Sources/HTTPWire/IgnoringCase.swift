/// Comparing names as HTTP and DNS compare them, eight bytes at a time.
extension UnsafeRawBufferPointer {
    /// Whether the bytes are those of `other` but for the case of ASCII letters.
    public func equalsIgnoringCase(_ other: UnsafeRawBufferPointer) -> Bool {
        guard count == other.count else { return false }
        guard count >= 8 else {
            for index in 0..<count where asciiLowercased(self[index]) != asciiLowercased(other[index]) { return false }
            return true
        }
        var offset = 0
        while offset &+ 8 < count {
            guard same(as: other, at: offset) else { return false }
            offset &+= 8
        }
        // The last eight overlap with what was compared before, or do not; either way nothing is left over.
        return same(as: other, at: count &- 8)
    }

    /// Compares the eight bytes at `offset`, which lie within both.
    @inline(__always)
    private func same(as other: UnsafeRawBufferPointer, at offset: Int) -> Bool {
        let one = loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        let two = other.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        return one == two || Self.lettersLowercased(one) == Self.lettersLowercased(two)
    }

    /// `A` to `Z` in lower case and no other byte changed; no byte carries into the next.
    @inline(__always)
    private static func lettersLowercased(_ word: UInt64) -> UInt64 {
        let low = word & 0x7F7F_7F7F_7F7F_7F7F
        let fromA = low &+ 0x3F3F_3F3F_3F3F_3F3F
        let aboveZ = low &+ 0x2525_2525_2525_2525
        return word | ((fromA & ~aboveZ & ~word & 0x8080_8080_8080_8080) >> 2)
    }
}
