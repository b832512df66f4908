/// Endless bytes in which every position is recognisable: byte 8k starts the number k, big-endian.
///
/// A byte lost, doubled or moved on the way shows.
enum Pattern {
    /// Fills the buffer with the bytes from `position` on; both are multiples of eight.
    static func fill(_ buffer: UnsafeMutableRawBufferPointer, from position: UInt64) {
        precondition(position & 7 == 0 && buffer.count & 7 == 0)
        var number = position >> 3
        for offset in stride(from: 0, to: buffer.count, by: 8) {
            buffer.storeBytes(of: number.bigEndian, toByteOffset: offset, as: UInt64.self)
            number += 1
        }
    }
}
