internal import HTTPWire

/// Comparisons of bytes as host names are compared: ASCII letters without case, every other byte as it is.
enum ASCII {
    /// The lower-case form of an ASCII letter; any other byte unchanged.
    @inline(__always)
    static func lowered(_ byte: UInt8) -> UInt8 {
        byte &- 0x41 < 26 ? byte | 0x20 : byte
    }

    @inline(__always)
    static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

    /// The value of a hexadecimal digit in either case; nil for any other byte.
    @inline(__always)
    static func hexValue(_ byte: UInt8) -> UInt64? {
        switch byte {
        case 0x30...0x39: UInt64(byte &- 0x30)
        case 0x41...0x46: UInt64(byte &- 0x41 &+ 10)
        case 0x61...0x66: UInt64(byte &- 0x61 &+ 10)
        default: nil
        }
    }

    /// Whether a byte may stand in a host label: letters, digits, hyphen, and the underscore that some resolvers allow.
    @inline(__always)
    static func isLabelByte(_ byte: UInt8) -> Bool {
        isDigit(byte) || lowered(byte) &- 0x61 < 26 || byte == 0x2d || byte == 0x5f
    }

    /// Whether the bytes spell the name, which is lower-case already.
    @inline(__always)
    static func equal(_ bytes: UnsafeRawBufferPointer, _ lowerCased: [UInt8]) -> Bool {
        lowerCased.withUnsafeBytes { bytes.equalsIgnoringCase($0) }
    }

    /// Whether the bytes end with the name, which is lower-case already.
    @inline(__always)
    static func ends(_ bytes: UnsafeRawBufferPointer, with lowerCased: [UInt8]) -> Bool {
        guard bytes.count >= lowerCased.count else { return false }
        return equal(UnsafeRawBufferPointer(rebasing: bytes[(bytes.count - lowerCased.count)...]), lowerCased)
    }
}
