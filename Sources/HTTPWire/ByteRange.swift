/// A run of bytes inside the buffer that a head was parsed from.
///
/// Offsets, not pointers: the buffer may be moved or refilled between two uses, the range stays 8 bytes.
public struct ByteRange: Equatable, Sendable {
    /// Offset of the first byte from the start of the buffer.
    public var start: UInt32
    /// Number of bytes.
    public var count: UInt32

    /// Makes a range from offsets that fit in 32 bits; heads are bounded far below that.
    @inlinable
    public init(start: Int, count: Int) {
        self.start = UInt32(truncatingIfNeeded: start)
        self.count = UInt32(truncatingIfNeeded: count)
    }

    /// The empty range.
    public static let empty = ByteRange(start: 0, count: 0)

    /// Whether the range holds no byte.
    @inlinable
    public var isEmpty: Bool { count == 0 }

    /// The bytes themselves, borrowed from the buffer the head was parsed from.
    @inlinable
    @inline(__always)
    public func bytes(in buffer: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        // One check instead of a slice's several: this is called for every field by everybody who compares names.
        precondition(Int(start) &+ Int(count) <= buffer.count, "a range belongs to its buffer")
        return UnsafeRawBufferPointer(start: buffer.baseAddress.map { $0 + Int(start) }, count: Int(count))
    }

    /// The bytes as text; malformed UTF-8 is repaired, so this is for logs and the API, never for decisions on bytes.
    public func string(in buffer: UnsafeRawBufferPointer) -> String {
        String(decoding: bytes(in: buffer), as: UTF8.self)
    }
}
