/// An answer of the catalogue: borrowed bytes, ready to be written after one another.
///
/// The writer sends `head`, `extra`, its own Date, Connection and X-Request-Id, an empty line, then `body`. All memory
/// belongs to the catalogue and stays valid as long as it.
package struct AssetResponse {
    package let status: Int
    /// Status line and fields, each with its CRLF; without the empty line.
    package let head: UnsafeRawBufferPointer
    /// The fields that only this request decides; empty but for parts.
    package let extra: InlineFields
    /// Empty for HEAD, 304 and 416. Its size is the Content-Length that the head names, HEAD and 304 aside.
    package let body: UnsafeRawBufferPointer

    /// Copies `head` and `extra` and returns their size; the room must be at least `headCount`.
    package func copyHead(into room: UnsafeMutableRawBufferPointer) -> Int {
        room.copyMemory(from: head)
        extra.withBytes { UnsafeMutableRawBufferPointer(rebasing: room[head.count...]).copyMemory(from: $0) }
        return headCount
    }

    /// The size of `head` and `extra`.
    package var headCount: Int { head.count + extra.count }
}

/// A few field lines kept in place, without allocation.
package struct InlineFields {
    private var storage = InlineArray<112, UInt8>(repeating: 0)
    /// Number of bytes.
    package private(set) var count = 0

    /// No field.
    init() {}

    /// The fields of a part: its length, and its place in the whole.
    init(part: Range<Int>, of size: Int) {
        append("Content-Length: ")
        append(part.count)
        append("\r\nContent-Range: bytes ")
        append(part.lowerBound)
        append("-")
        append(part.upperBound - 1)
        append("/")
        append(size)
        append("\r\n")
    }

    /// Lends the bytes.
    package func withBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
        withUnsafeBytes(of: storage) { body(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
    }

    private mutating func append(_ text: StaticString) {
        for index in 0..<text.utf8CodeUnitCount { push(text.utf8Start[index]) }
    }

    private mutating func append(_ number: Int) {
        var unit = 1
        while unit <= number / 10 { unit *= 10 }
        while unit > 0 {
            push(UInt8(truncatingIfNeeded: 0x30 + number / unit % 10))
            unit /= 10
        }
    }

    private mutating func push(_ byte: UInt8) {
        storage[count] = byte
        count += 1
    }
}
